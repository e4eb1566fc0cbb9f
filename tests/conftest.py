"""Small data that tests share: images whose class is the place of a bright disc, easy enough to learn in seconds."""

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pytest
import torch
from factories import CENTRES, MAP, SHORT, export_fp32, save, write_set
from hydra.core.global_hydra import GlobalHydra
from matplotlib.figure import Figure

from brain_tumor.evaluation.report import inline_figures

mpl.use("Agg")
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # tests in the background of a shell, whose processes inherit it
    signal.signal(signal.SIGINT, signal.default_int_handler)
torch.set_num_threads(1)  # the tests run one process per core


@pytest.fixture(scope="session")
def flat_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """FOLDER/<class>/*.png, 12 of each of four classes. Read only."""
    root = tmp_path_factory.mktemp("flat")
    for label in CENTRES:
        for number in range(12):
            save(root / label / f"{number:02d}.png", label, number)
    return root


@pytest.fixture(autouse=True)
def _isolated(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Each test has the session's own cache, no Hydra left over, and no seed inherited from a test before it."""
    monkeypatch.setenv("BRAIN_TUMOR_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    monkeypatch.setenv("WANDB_DATA_DIR", str(tmp_path_factory.getbasetemp() / "wandb"))
    monkeypatch.delenv("PL_GLOBAL_SEED", raising=False)
    GlobalHydra.instance().clear()
    yield
    GlobalHydra.instance().clear()


_rendered: dict[str, bytes] = {}
_rendered_svg: dict[str, str] = {}


@pytest.fixture(autouse=True)
def _quick_figures(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Render each figure of a report once per process, in the quick tests of runs: that takes half of a small training.

    Every figure is still made from the data of its test; tests of figures and slow tests render them all.
    """
    if request.node.get_closest_marker("slow") or "evaluation" in request.path.parts:
        return

    def savefig(figure: Figure, file: Path | BytesIO, **options: Any) -> None:
        if not isinstance(file, Path):
            render(figure, file, **options)
        elif content := _rendered.get(file.name.removesuffix(f".{os.getpid()}")):
            file.write_bytes(content)
        else:
            render(figure, file, **options)
            _rendered[file.name.removesuffix(f".{os.getpid()}")] = file.read_bytes()

    def svg(figure: Figure, caption: str) -> str:
        if caption not in _rendered_svg:
            _rendered_svg[caption] = draw(figure, caption)
        return _rendered_svg[caption]

    render, draw = Figure.savefig, inline_figures.svg
    monkeypatch.setattr(Figure, "savefig", savefig)
    monkeypatch.setattr(inline_figures, "svg", svg)


@pytest.fixture(scope="session")
def shared() -> Path:
    """Public data sets and weights, where this machine has them."""
    path = Path(os.environ.get("BRAIN_TUMOR_SHARED", "absent"))
    if not path.is_dir():
        pytest.skip("BRAIN_TUMOR_SHARED names no folder of public data sets and weights")
    return path


@pytest.fixture(scope="session")
def parted_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """FOLDER/Training|Testing/<class>/*.png, 12 and 4 of each of four classes. Read only."""
    root = tmp_path_factory.mktemp("parted")
    for label in CENTRES:
        for number in range(16):
            save(root / ("Training" if number < 12 else "Testing") / label / f"{number:02d}.png", label, number)
    return root


@pytest.fixture(scope="session")
def manifest_csv(flat_folder: Path) -> Path:
    """A CSV that names the images of ``flat_folder``, two of one patient. Read only."""
    paths = sorted(flat_folder.rglob("*.png"))
    rows = [
        f"{path.relative_to(flat_folder)},{path.parent.name},{path.parent.name}-{int(path.stem) // 2}" for path in paths
    ]
    csv = flat_folder / "samples.csv"
    csv.write_text("\n".join(["path,label,patient_id", *rows]) + "\n", encoding="utf-8")
    return csv


@pytest.fixture(scope="session")
def trained(flat_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run directory of a small training. Read only."""
    from brain_tumor.train import train

    return train(["data=folder", f"data.root={flat_folder}", *SHORT], tmp_path_factory.mktemp("trained")).run_dir


@pytest.fixture(scope="session")
def exported(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its copy, exported at fp32. Read only."""
    return export_fp32(shutil.copytree(trained, tmp_path_factory.mktemp("exported") / "run"))


@pytest.fixture(scope="session")
def gated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run directory of a training with enough scans to fit an OOD detector. Read only."""
    from brain_tumor.train import train

    root = tmp_path_factory.mktemp("many")
    for label in CENTRES:
        for number in range(80):
            save(root / label / f"{number:02d}.png", label, number)
    return train(
        ["data=folder", f"data.root={root}", "split=grouped", "split.val=0.25", *SHORT, "optimizer.lr=5e-3"],
        tmp_path_factory.mktemp("gated"),
    ).run_dir


@pytest.fixture(scope="session")
def exported_gated(gated: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its copy, exported at fp32. Read only."""
    return export_fp32(shutil.copytree(gated, tmp_path_factory.mktemp("exported") / "run"))


@pytest.fixture(scope="session")
def outlined(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Overrides for a manifest of images with masks."""
    return write_set(tmp_path_factory.mktemp("outlined"))


@pytest.fixture(scope="session")
def located(outlined: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with a map that is good enough to tell. Read only."""
    from brain_tumor.train import train

    options = ["trainer.max_epochs=20", "optimizer.lr=1e-2", "augmentation=none"]
    return train([*outlined, *SHORT, *MAP, *options], tmp_path_factory.mktemp("located")).run_dir


@pytest.fixture
def run_copy(trained: Path, tmp_path: Path) -> Path:
    """A copy that a test may spoil."""
    return shutil.copytree(trained, tmp_path / "run")


@pytest.fixture
def gated_copy(gated: Path, tmp_path: Path) -> Path:
    """A copy that a test may spoil."""
    return shutil.copytree(gated, tmp_path / "run")


@pytest.fixture
def exported_gated_copy(exported_gated: Path, tmp_path: Path) -> Path:
    """A copy that a test may spoil."""
    return shutil.copytree(exported_gated, tmp_path / "run")


@pytest.fixture
def exported_copy(exported: Path, tmp_path: Path) -> Path:
    """A copy that a test may spoil."""
    return shutil.copytree(exported, tmp_path / "run")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """A headless browser of playwright; its event loop ends with the module."""
    playwright = pytest.importorskip("playwright.sync_api")
    path = os.environ.get("BRAIN_TUMOR_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("needs Chromium; name it in BRAIN_TUMOR_CHROMIUM")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def serious_faults() -> Callable[[Any], list[tuple[str, list[str]]]]:
    """Function from an open page to axe-core's serious and critical findings: rule and elements."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()

    def find(page: Any) -> list[tuple[str, list[str]]]:
        violations = axe.run(page).response["violations"]
        serious = [each for each in violations if each["impact"] in ("serious", "critical")]
        return [(each["id"], [node["html"] for node in each["nodes"]]) for each in serious]

    return find
