"""A user's own package: the one that notebooks/05-extend.ipynb writes, used as its users would."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from unittest.mock import Mock

import nbformat
import numpy as np
import pandas as pd
import pytest
from factories import CENTRES, bundle_config, draw
from PIL import Image

from brain_tumor import Predictor
from brain_tumor.callbacks.resume_checkpoint import ResumeCheckpoint
from brain_tumor.config.compose import compose
from brain_tumor.config.plugins import with_custom_options
from brain_tumor.errors import BundleError, ConfigError, PreemptedError
from brain_tumor.train import train

NOTEBOOK = Path(__file__).parents[1] / "notebooks" / "05-extend.ipynb"
MAGIC = "%%writefile "
SMALL = [
    "data.image_size=32", "data.num_workers=0", "data.batch_size=8", "evaluation.resamples=20", "callbacks=[]",
    "trainer.max_epochs=2",
]  # fmt: skip


def examples():
    """File → its text, of each cell that writes one."""
    cells = [cell.source for cell in nbformat.read(NOTEBOOK, as_version=4).cells if cell.source.startswith(MAGIC)]
    return {first.removeprefix(MAGIC): text for first, _, text in (cell.partition("\n") for cell in cells)}


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """Folder with the package ``mylab``, the options ``conf``, and images of a few patients."""
    folder = tmp_path_factory.mktemp("lab")
    for name, text in examples().items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (folder / "mylab" / "__init__.py").touch()
    for label in CENTRES:
        (folder / "scans" / label).mkdir(parents=True)
        for number in range(16):
            image = Image.fromarray(draw(label, number))
            image.save(folder / "scans" / label / f"{label}{number // 2}-{number % 2}.png")
    return folder


def own(lab):
    return [
        "plugins=[mylab]",
        "model._target_=mylab.nets.Net", "model.width=8",
        "loss._target_=mylab.losses.poly1", "loss.epsilon=0.5",
        "optimizer._target_=torch.optim.RAdam", "optimizer.weight_decay=0.01",
        "scheduler._target_=mylab.schedules.linear_decay",
        "+augmentation.steps.BiasField={_target_:mylab.augmentations.bias_field,p:0.5}",
        "+callbacks.norms._target_=mylab.callbacks.WeightNorms",
        "data.adapter._target_=mylab.data.scans", f"data.adapter.root={lab / 'scans'}",
    ]  # fmt: skip


@pytest.fixture
def importable(lab, monkeypatch):
    monkeypatch.syspath_prepend(lab)


@pytest.fixture(scope="module")
def run(lab, tmp_path_factory):
    """Run directory of a training with everything of one's own. Read only."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(lab)
        return train([*own(lab), *SMALL], tmp_path_factory.mktemp("own")).run_dir


def command(*arguments, cwd, path=(), **options):
    """Run brain-tumor as a command, with folders in PYTHONPATH."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, path)), "COLUMNS": "200", "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, "-m", "brain_tumor", *map(str, arguments)],
        cwd=cwd, env=environment, capture_output=True, text=True, timeout=600, **options,
    )  # fmt: skip


def test_examples_are_short():
    assert {Path(name).stem for name in examples()} >= {
        "nets", "losses", "schedules", "augmentations", "callbacks", "data"
    }  # fmt: skip
    assert max(len(text.splitlines()) for text in examples().values()) <= 15


class TestTraining:
    def test_everything_of_ones_own_was_used(self, run):
        epochs = pd.read_csv(run / "metrics.csv")
        samples = pd.read_csv(run / "samples.csv")

        assert epochs["lr"].tolist() == pytest.approx([1.5e-3, 0.0])  # at the ends of epochs, from 3e-3 on
        assert len((run / "norms.txt").read_text().split()) == 2
        assert set(samples["patient_id"].str.rstrip("0123456789")) == set(CENTRES)
        assert samples.groupby("patient_id")["split"].nunique().max() == 1
        record = json.loads((run / "run.json").read_text())
        assert record["model"]["name"] == "Net"
        assert record["data"]["name"] == "scans"

    @pytest.mark.slow
    def test_it_is_resumed(self, lab, importable, run, tmp_path, monkeypatch):
        with monkeypatch.context() as patch:  # a stop after the first epoch
            patch.setattr(ResumeCheckpoint, "_stop_if_requested", Mock(side_effect=PreemptedError(signal.SIGTERM)))
            with pytest.raises(PreemptedError):
                train([*own(lab), *SMALL], tmp_path)
        resumed = train([*own(lab), *SMALL, "resume=auto"], tmp_path)

        assert len(pd.read_csv(resumed.run_dir / "metrics.csv")) == 2

    @pytest.mark.slow
    def test_torchvisions_network_and_torchs_own_parts(self, lab, importable, tmp_path):
        chosen = [
            *own(lab)[-2:], "plugins=[mylab]", "data.imbalance=class_weights",
            "model._target_=torchvision.models.resnet18", "optimizer._target_=torch.optim.AdamW",
            "loss._target_=torch.nn.CrossEntropyLoss", "loss.label_smoothing=0.1", "augmentation.mixup=0.2",
            "scheduler._target_=torch.optim.lr_scheduler.CosineAnnealingLR", "optimizer.layer_decay=0.5",
        ]  # fmt: skip
        trained = train([*chosen, *SMALL], tmp_path)

        lr = pd.read_csv(trained.run_dir / "metrics.csv")["lr"]
        assert lr.tolist() == pytest.approx([5e-4, 0.0])  # at the ends of epochs: T_max is their number
        config = bundle_config(trained.run_dir)
        assert config["preprocessing"]["mean"] == [0.485, 0.456, 0.406]
        assert Predictor.load(trained.run_dir, plugins=["torchvision"])(draw("glioma", 3)).prediction in CENTRES


@pytest.mark.slow
class TestBundle:
    def test_it_names_its_package_and_needs_it_named(self, run, importable):
        with pytest.raises(BundleError, match=r'its network mylab\.nets\.Net is code .*plugins=\["mylab"\] in Python'):
            Predictor.load(run)
        assert 'Predictor.load("BUNDLE", plugins=["mylab"])' in (run / "bundle" / "README.md").read_text()

        table = pd.read_csv(run / "predictions" / "test.csv")
        predictor = Predictor.load(run, plugins=["mylab"])
        expected = table["prediction"].tolist()
        assert [answer.prediction for answer in predictor.batch(table["path"])] == expected

    def test_an_export_needs_no_code(self, run, lab, tmp_path, monkeypatch):
        copy = tmp_path / "copy"
        subprocess.run(["cp", "-r", run, copy], check=True)  # noqa: S607
        done = command("export", f"bundle={copy}", "plugins=[mylab]", cwd=tmp_path, path=[lab])
        assert done.returncode == 0, done.stderr

        table = pd.read_csv(copy / "predictions" / "test.csv")
        code = f"""
import sys
from brain_tumor import Predictor
from brain_tumor.callbacks.resume_checkpoint import ResumeCheckpoint
answers = Predictor.load({str(copy)!r}).batch({table["path"].tolist()!r})
print(*[answer.probabilities["glioma"] for answer in answers])
assert "mylab" not in sys.modules
"""
        alone = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)

        monkeypatch.syspath_prepend(lab)
        eager = Predictor.load(run, plugins=["mylab"], engine="torch").batch(table["path"])
        probabilities = [float(text) for text in alone.stdout.split()]
        assert probabilities == pytest.approx([each.probabilities["glioma"] for each in eager], abs=1e-4)

    def test_evaluation_and_prediction_from_the_folder_of_the_package(self, run, lab, tmp_path):
        """``python -m`` and ``plugins`` both look into the current folder."""
        done = command("predict", f"bundle={run}", f"input={lab / 'scans'}", "plugins=[mylab]",
                       f"hydra.run.dir={tmp_path}", cwd=lab)  # fmt: skip

        assert done.returncode == 0, done.stderr
        assert len(pd.read_csv(tmp_path / "predictions.csv")) == 64


class TestMistakes:
    @pytest.mark.parametrize(
        ("overrides", "sentence"),
        [
            (["model._target_=yourlab.Net"], r"model\._target_=yourlab\.Net is not allowed, as plugins does not name"),
            (["model._target_=mylab.nets.Nett"], r"model\._target_=mylab\.nets\.Nett is not found: .*Nett"),
            (["model._target_=mylab.nets.Net", "model.depth=3"], r"model takes no depth; it takes num_classes, width"),
            (["model._target_=mylab.losses.poly1"], r"model takes no num_classes|model cannot be built"),
            (["model._target_=torch.nn.Flatten"], r"model cannot be built"),
            (["loss._target_=torch.nn.BCEWithLogitsLoss"], r"loss\._target_=.* fails for logits float \[2, 4\] and"),
            (["loss._target_=torch.nn.CrossEntropyLoss", "loss.reduction=none"], r"returns a tensor \[2\] .* a scalar"),
            (["loss._target_=mylab.losses.poly1", "data.imbalance=class_weights"], r"takes neither class_weights nor"),
            (["loss._target_=mylab.losses.poly1", "augmentation.mixup=1"], r"fails for logits .*mixup and cutmix mix"),
            (["optimizer._target_=torch.nn.Linear"], r"optimizer"),
            (["scheduler._target_=torch.optim.lr_scheduler.StepLR"], r"scheduler cannot be built: .*step_size"),
            (["scheduler._target_=mylab.data.scans"], r"scheduler"),
            (["scheduler.interval=day"], r"Invalid scheduler\.interval=day: expected step or epoch"),
            (["+augmentation.steps.X._target_=mylab.data.scans"], r"augmentation\.steps\.X does not accept grey"),
        ],
    )  # fmt: skip
    def test_they_end_in_one_sentence(self, overrides, sentence, lab, importable, tmp_path):
        data = [*own(lab)[-2:], "plugins=[mylab]"]
        with pytest.raises(ConfigError, match=sentence) as caught:
            train([*data, *SMALL, *overrides], tmp_path)
        assert "\n" not in str(caught.value)

    @pytest.mark.parametrize(
        ("table", "sentence"),
        [
            ("[]", "is a list: expected a pandas DataFrame"),
            ("pd.DataFrame({'path': ['x.png']})", "has no column label; it has path"),
            ("pd.DataFrame({'path': ['nowhere.png'], 'label': ['a']})", "1 of 1 files do not exist, first nowhere"),
        ],
    )
    def test_a_table_that_is_none(self, table, sentence, tmp_path, monkeypatch):
        name = f"scans_{abs(hash(table))}"
        (tmp_path / f"{name}.py").write_text(f"import pandas as pd\ndef scans():\n    return {table}\n")
        monkeypatch.syspath_prepend(tmp_path)
        with pytest.raises(Exception, match=sentence):
            train([f"plugins=[{name}]", f"data.adapter._target_={name}.scans", *SMALL], tmp_path / "run")

    def test_a_package_that_fails(self, tmp_path, monkeypatch):
        (tmp_path / "broken_lab.py").write_text("1 / 0")
        monkeypatch.syspath_prepend(tmp_path)

        with pytest.raises(ConfigError, match=r"importing it failed with ZeroDivisionError: division by zero"):
            compose(["plugins=[broken_lab]"])


def test_naming_a_class_drops_the_arguments_of_the_default_option():
    assert with_custom_options(["seed=1", "model.width=8", "model._target_=mylab.Net", "data.root=x"]) == [
        "model=custom", "seed=1", "++model.width=8", "model._target_=mylab.Net", "data.root=x"
    ]  # fmt: skip
    kept = ["model=small_cnn", "model._target_=mylab.Net", "model.depth=2"]
    assert with_custom_options(kept) == kept


@pytest.mark.slow
class TestSweep:
    def test_own_and_our_options_are_swept_and_resumed_from_another_folder(self, lab, tmp_path):
        swept = ["model=mine,small_cnn", f"hydra.sweep.dir={tmp_path / 'sweep'}", *own(lab)[-2:], *SMALL]
        done = command(
            "train", "--config-dir", "conf", "--multirun", "plugins=[mylab]", "trainer.max_epochs=1", *swept, cwd=lab
        )
        assert done.returncode == 0, done.stdout + done.stderr
        subprocess.run(["rm", "-r", tmp_path / "sweep" / "0"], check=True)  # noqa: S607

        again = command("train", f"resume={tmp_path / 'sweep'}", cwd=tmp_path)

        assert again.returncode == 0, again.stdout + again.stderr
        table = pd.read_csv(tmp_path / "sweep" / "sweep.csv")
        assert table["status"].tolist() == ["finished", "finished"]
        assert "--config-dir" in again.stdout

    @pytest.mark.parametrize("how", ["launcher=submitit_local", "hparams_search=optuna"])
    def test_other_launchers_and_searches(self, how, lab, tmp_path):
        search = ["hydra.sweeper.n_trials=2", "model.width=choice(4,8)", "augmentation=light", "~callbacks.pruning"]
        swept = search if how.startswith("hparams") else ["model.width=4,8", "--multirun"]
        rest = [text for text in own(lab) if not text.startswith("model.width")]
        done = command(
            "train", how, *swept, *rest, *SMALL, "trainer.max_epochs=1", f"hydra.sweep.dir={tmp_path}",
            cwd=tmp_path, path=[lab],
        )  # fmt: skip

        assert done.returncode == 0, done.stdout + done.stderr
        assert pd.read_csv(tmp_path / "sweep.csv")["status"].tolist() == ["finished", "finished"]

    @pytest.mark.ddp
    def test_two_processes(self, lab, tmp_path):
        two = ["trainer=ddp_cpu", "trainer.timeout=120", "data.batch_size=4"]
        done = command("train", *own(lab), *SMALL, *two, f"hydra.run.dir={tmp_path / 'run'}", cwd=tmp_path, path=[lab])

        assert done.returncode == 0, done.stdout + done.stderr
        assert json.loads((tmp_path / "run" / "run.json").read_text())["processes"] == 2
        assert len((tmp_path / "run" / "norms.txt").read_text().split()) == 2


@pytest.mark.slow
def test_an_installed_wheel_in_an_empty_folder(lab, tmp_path):
    """No checkout: the package and its ``conf`` come out of the wheel, the user's package lies beside."""
    root = NOTEBOOK.parents[1]
    pytest.importorskip("hatchling", reason="the build backend is not installed")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path / "dist"]
    subprocess.run(build, cwd=root, check=True, capture_output=True)
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    site, empty = tmp_path / "site", tmp_path / "empty"
    subprocess.run([sys.executable, "-m", "zipfile", "-e", wheel, site], check=True)
    empty.mkdir()

    where = command("--version", cwd=empty, path=[site])
    done = command("train", *own(lab), *SMALL, "hydra.run.dir=run", cwd=empty, path=[site, lab])

    assert where.returncode == 0
    assert done.returncode == 0, done.stdout + done.stderr
    assert np.isfinite(pd.read_csv(empty / "run" / "metrics.csv")["val/loss"]).all()
    source = subprocess.run(
        [sys.executable, "-c", "import brain_tumor.config.conf_dir as c; print(c.CONF_DIR)"],
        cwd=empty, env=os.environ | {"PYTHONPATH": str(site)}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert Path(source.stdout.strip()) == site / "brain_tumor" / "conf"
