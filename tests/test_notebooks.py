"""The notebooks run from top to bottom, and are kept with small outputs, which readers see without running them."""

import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))


def outputs(notebook):
    return [output for cell in notebook.cells for output in cell.get("outputs", [])]


def test_there_are_seven_in_order():
    assert [path.stem[:2] for path in NOTEBOOKS] == [f"{number:02}" for number in range(1, 8)]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_is_kept_with_its_outputs(path):
    notebook = nbformat.read(path, as_version=4)
    kept = outputs(notebook)

    assert kept, "run it again: make pictures"
    assert not [output for output in kept if output.output_type == "error"]
    assert path.stat().st_size <= 1_000_000
    text = "".join(str(output.get("text", "")) for output in kept)
    assert "\x1b[" not in text  # no colours of a terminal
    assert len(text.splitlines()) <= 400
    assert "/tmp/" not in text  # noqa: S108 - no folder of this machine
    assert all(part in path.read_text(encoding="utf-8") for part in ("phantoms", "Research use only"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_its_links_lead_to_files(path):
    linked = re.findall(r"\]\((?!http)([^)#]+)", path.read_text(encoding="utf-8"))

    assert not [target for target in linked if not (path.parent / target).exists()]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
@pytest.mark.slow
def test_it_runs_from_top_to_bottom(path, tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # several run at a time; two threads on busy cores are slower than one
    notebook = nbformat.read(path, as_version=4)
    kept = [len(cell.get("outputs", [])) > 0 for cell in notebook.cells]

    NotebookClient(
        notebook, timeout=1800, resources={"metadata": {"path": str(tmp_path)}}, coalesce_streams=True
    ).execute()

    assert [len(cell.get("outputs", [])) > 0 for cell in notebook.cells] == kept
