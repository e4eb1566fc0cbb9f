"""``resume=RUN`` as a user types it: from another folder, of a run that lies elsewhere by now."""

import json
import os
import shutil
import subprocess
import sys

import pandas as pd
import pytest
from factories import SHORT

SHORTER = [text for text in SHORT if not text.startswith("trainer.max_epochs")]


def command(folder, *arguments):
    done = subprocess.run(
        [sys.executable, "-m", "brain_tumor", "train", *arguments],
        cwd=folder, capture_output=True, text=True, check=False, timeout=600,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    return done


@pytest.fixture
def moved(flat_folder, tmp_path):
    """A run of one epoch, started with paths relative to ``tmp_path/lab``, and moved since."""
    shutil.copytree(flat_folder, tmp_path / "lab" / "scans")
    (tmp_path / "lab" / "conf" / "experiment").mkdir(parents=True)
    experiment = "# @package _global_\ntrainer:\n  max_epochs: 1\noptimizer:\n  lr: 2e-3\n"
    (tmp_path / "lab" / "conf" / "experiment" / "mine.yaml").write_text(experiment)
    start = ["data=folder", "data.root=scans", "experiment=mine", "hydra.run.dir=run", *SHORTER]
    done = command(tmp_path / "lab", "--config-dir", "conf", *start)
    assert done.returncode == 0, done.stderr
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "lab" / "run").rename(tmp_path / "elsewhere" / "run")
    return tmp_path / "elsewhere" / "run"


@pytest.mark.slow
def test_a_run_does_not_depend_on_where_it_lies_or_is_resumed_from(moved, tmp_path):
    done = command(moved.parent, "resume=run", "trainer.max_epochs=2", "overwrite=true")

    assert done.returncode == 0, done.stderr
    table = pd.read_csv(moved / "metrics.csv")
    assert table["epoch"].tolist() == [0, 1]
    assert not (tmp_path / "lab" / "run").exists()

    (tmp_path / "lab").rename(tmp_path / "archive")
    more = ["resume=run", "trainer.max_epochs=3", "overwrite=true", "data.root=../archive/scans"]
    done = command(moved.parent, *more)
    assert done.returncode == 2
    assert "--config-dir DIR resume=RUN" in done.stderr.splitlines()[-1]

    done = command(moved.parent, "--config-dir", "../archive/conf", *more)
    assert done.returncode == 0, done.stderr
    assert len(pd.read_csv(moved / "metrics.csv")) == 3
    changed = json.loads((moved / "run.json").read_text())["changed"]
    assert [set(each) - {"time"} for each in changed] == [{"trainer.max_epochs"}, {"trainer.max_epochs", "data.root"}]


@pytest.mark.slow
def test_a_refused_key_leaves_the_run_as_it_was(moved):
    before = (moved / ".hydra" / "config.yaml").read_text()

    done = command(moved.parent, "resume=run", "optimizer.weight_decay=0.2", "overwrite=true")

    assert done.returncode == 2
    assert "optimizer.weight_decay=0.2 (was 0.05)" in done.stderr.splitlines()[-1]
    assert (moved / ".hydra" / "config.yaml").read_text() == before
