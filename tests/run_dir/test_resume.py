"""A run that is interrupted at any moment and resumed gives the same weights and the same table of epochs."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
import torch
from factories import CENTRES, save

from brain_tumor.callbacks.epoch_table import EpochTable
from brain_tumor.cli.arguments import expand
from brain_tumor.errors import DataError, RunDirError
from brain_tumor.train import train

ONE_THREAD = {"OMP_NUM_THREADS": "1"}
"""Sums of floats depend on the number of threads."""
SMALL = ["model.widths=[8,16]", "data.image_size=32", "evaluation.resamples=20", "callbacks=[]", "data.batch_size=4"]
RUN = [*SMALL, "trainer.max_epochs=4", "augmentation.mixup=0.2", "callbacks.resume_checkpoint.minutes=0.0005"]


@pytest.fixture(scope="module")
def data(flat_folder):
    return ["data=folder", f"data.root={flat_folder}"]


def outcome(run_dir):
    """Return a hash of the last weights, and the table of epochs without its timings."""
    state = torch.load(run_dir / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
    weights = hashlib.sha256(b"".join(state[name].numpy().tobytes() for name in sorted(state))).hexdigest()
    table = pd.read_csv(run_dir / "metrics.csv")
    return weights, table[[name for name in table if name != "seconds" and not name.startswith("speed/")]].to_dict()


@pytest.fixture(scope="module")
def uninterrupted(data, tmp_path_factory):
    outcomes = {}
    for option, options in OPTIONS.items():
        folder = tmp_path_factory.mktemp("whole")
        assert start([*data, *RUN, *options], folder).wait(timeout=600) == 0
        outcomes[option] = outcome(folder / "run")
    return outcomes


OPTIONS = {
    "plain": ["data.num_workers=0"],
    "workers": ["data.num_workers=1"],
    "ema": ["data.num_workers=0", "callbacks=[ema]"],
}


def start(arguments, folder, **environment):
    command = [sys.executable, "-m", "brain_tumor", "train", *arguments, f"hydra.run.dir={folder / 'run'}"]
    with (folder / "log").open("ab") as log:
        return subprocess.Popen(command, stdout=log, stderr=log, env=os.environ | ONE_THREAD | environment)


def wait_for(path, process, log):
    deadline = time.monotonic() + 600
    while not path.exists():
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.01)


def interrupt(arguments, folder, number, *, after=0.0, **environment):
    """Send a signal after the first checkpoint, or some seconds later; return the exit code."""
    process = start(arguments, folder, **environment)
    wait_for(folder / "run" / "checkpoints" / "last.ckpt", process, folder / "log")
    time.sleep(after)
    process.send_signal(number)
    return process.wait(timeout=600)


def record(folder):
    return json.loads((folder / "run" / "run.json").read_text())


@pytest.mark.long
@pytest.mark.parametrize("moment", range(5))
def test_killed_at_a_random_moment(moment, data, uninterrupted, tmp_path):
    after = float(np.random.default_rng().uniform(0, 1.5))
    option = ["plain", "workers", "ema"][moment % 3]

    interrupt([*data, *RUN, *OPTIONS[option]], tmp_path, signal.SIGKILL, after=after)
    code = start([*data, *RUN, *OPTIONS[option], "resume=auto"], tmp_path).wait(timeout=600)

    assert code == 0, (after, (tmp_path / "log").read_text())
    assert outcome(tmp_path / "run") == uninterrupted[option], after
    assert record(tmp_path)["status"] == "finished"


LONG = [*SMALL, "trainer.max_epochs=500", "data.num_workers=0"]


@pytest.mark.slow
def test_sigterm_saves_within_the_epoch_and_resume_needs_no_other_argument(data, tmp_path):
    code = interrupt([*data, *LONG], tmp_path, signal.SIGTERM)

    assert code == 128 + signal.SIGTERM
    assert record(tmp_path)["status"] == "preempted"
    last_line = (tmp_path / "log").read_text().splitlines()[-1]
    assert last_line.startswith("brain-tumor train: Stopped by SIGTERM")
    saved = torch.load(tmp_path / "run" / "checkpoints" / "last.ckpt", weights_only=True)
    epochs = len(pd.read_csv(tmp_path / "run" / "metrics.csv"))

    resumed, _ = expand([f"resume={tmp_path / 'run'}", f"trainer.max_epochs={epochs + 1}"])
    run = train([override for override in resumed if not override.startswith("hydra.")], tmp_path / "run")

    assert saved["global_step"] > 0
    assert run.results["test"]
    table = pd.read_csv(tmp_path / "run" / "metrics.csv")
    assert table["epoch"].tolist() == list(range(epochs + 1))
    assert table["seconds"].is_monotonic_increasing
    assert len(record(tmp_path)["resumed"]) == 1


@pytest.mark.parametrize(("resume", "queued"), [(["resume=auto"], "requeue 42_7\n"), ([], None)])
@pytest.mark.slow
def test_a_slurm_job_that_can_be_resumed_is_queued_again(resume, queued, data, tmp_path):
    """An epoch here is a single batch: a checkpoint follows in any case, and the run stops after it."""
    scontrol = tmp_path / "bin" / "scontrol"
    scontrol.parent.mkdir()
    scontrol.write_text(f'#!/bin/sh\necho "$@" > {tmp_path / "scontrol_arguments"}\n')
    scontrol.chmod(0o755)
    slurm = {"SLURM_JOB_ID": "44", "SLURM_ARRAY_JOB_ID": "42", "SLURM_ARRAY_TASK_ID": "7"}
    path = f"{scontrol.parent}:{os.environ['PATH']}"

    arguments = [*data, *LONG, "data.batch_size=32", *resume]
    code = interrupt(arguments, tmp_path, signal.SIGUSR1, PATH=path, **slurm)

    assert (code, record(tmp_path)["status"]) == (128 + signal.SIGUSR1, "preempted")
    requested = tmp_path / "scontrol_arguments"
    assert (requested.read_text() if requested.is_file() else None) == queued


@pytest.fixture(scope="module")
def finished(data, tmp_path_factory):
    return train([*data, *SMALL, "trainer.max_epochs=1", "data.num_workers=0"], tmp_path_factory.mktemp("finished"))


def test_a_finished_run_is_not_changed(finished, data):
    before = {path: path.stat().st_mtime_ns for path in finished.run_dir.rglob("*") if ".hydra" not in str(path)}

    again = train([*data, *SMALL, "trainer.max_epochs=1", "data.num_workers=0", "resume=auto"], finished.run_dir)

    assert again.results == finished.results
    assert again.monitored == finished.monitored
    assert before == {path: path.stat().st_mtime_ns for path in before}


@pytest.mark.slow
def test_without_a_checkpoint_a_run_starts_from_the_beginning(data, tmp_path):
    run = train([*data, *SMALL, "trainer.max_epochs=1", "data.num_workers=0", "resume=auto"], tmp_path)

    assert "resumed" not in json.loads((run.run_dir / "run.json").read_text())


def test_a_different_data_set_is_refused(finished, tmp_path):
    run_dir = tmp_path / "run"
    shutil.copytree(finished.run_dir, run_dir)
    (run_dir / "run.json").unlink()
    for label in CENTRES:
        for number in range(12):
            save(tmp_path / "other" / label / f"{number:02d}.png", label, number + 50)

    with pytest.raises(DataError, match="differ from those that the run in"):
        train(["data=folder", f"data.root={tmp_path / 'other'}", *SMALL, "resume=auto"], run_dir)


@pytest.mark.slow
def test_a_full_disk_ends_with_one_sentence_and_leaves_the_last_checkpoint(data, tmp_path):
    """A file size limit simulates a full disk: later checkpoints are larger, because of Adam's state."""
    first = [*data, *SMALL, "trainer.max_epochs=1", "data.num_workers=0", "optimizer=sgd"]
    run = train(first, tmp_path / "run")
    before = (run.run_dir / "checkpoints" / "last.ckpt").read_bytes()
    (run.run_dir / "run.json").unlink()
    limit = len(before) // 512 - 1

    arguments = " ".join([*first, "trainer.max_epochs=3", "resume=auto", f"hydra.run.dir={run.run_dir}"])
    command = f"ulimit -f {limit // 2}; exec {sys.executable} -m brain_tumor train {arguments}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=600, check=False)  # noqa: S607

    assert done.returncode == 2, done.stderr
    assert f"{run.run_dir} can no longer be written (File too large)" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert (run.run_dir / "checkpoints" / "last.ckpt").read_bytes() == before


@pytest.mark.slow
def test_two_epochs_and_two_resumed_ones_equal_four(data, tmp_path):
    arguments = [*data, *SMALL, "data.num_workers=0", "scheduler=constant"]
    whole = train([*arguments, "trainer.max_epochs=4"], tmp_path / "whole")

    first = train([*arguments, "trainer.max_epochs=2"], tmp_path / "parts")
    (first.run_dir / "run.json").unlink()  # a finished run would not be resumed
    second = train([*arguments, "trainer.max_epochs=4", "resume=auto"], tmp_path / "parts")

    assert outcome(second.run_dir) == outcome(whole.run_dir)


@pytest.mark.slow
class TestRemovedFiles:
    """Files that are removed while a training runs."""

    @pytest.fixture
    def running(self, flat_folder, tmp_path, monkeypatch):
        """A training in its first epochs, with its own images and cache."""
        monkeypatch.setenv("BRAIN_TUMOR_CACHE", str(tmp_path / "cache"))
        shutil.copytree(flat_folder, tmp_path / "scans")
        arguments = ["data=folder", f"data.root={tmp_path / 'scans'}", *SMALL, "data.num_workers=1"]
        process = start([*arguments, "trainer.max_epochs=40"], tmp_path)
        wait_for(tmp_path / "run" / "metrics.csv", process, tmp_path / "log")
        yield process, arguments, tmp_path
        process.kill()
        process.wait()

    def test_the_data_set_and_the_cache(self, running):
        """Training has all images open and finishes; resuming needs the files and reports that they are missing."""
        process, arguments, folder = running
        shutil.rmtree(folder / "scans")
        shutil.rmtree(folder / "cache")

        assert process.wait(timeout=600) == 0, (folder / "log").read_text()
        assert record(folder)["status"] == "finished"
        assert (folder / "run" / "report.html").is_file()

        code = start([*arguments, "trainer.max_epochs=80", "resume=auto", "overwrite=true"], folder).wait(timeout=600)
        last_line = (folder / "log").read_text().splitlines()[-1]
        assert code == 2
        assert last_line.startswith("brain-tumor train: ")
        assert "scans" in last_line

    def test_the_run_directory(self, running):
        process, _, folder = running
        (folder / "run").rename(folder / "moved")

        code = process.wait(timeout=600)

        output = (folder / "log").read_text()
        assert code == 2
        assert "Traceback" not in output
        assert f"The run directory {folder / 'run'} can no longer be written" in output.splitlines()[-1]

    def test_the_run_directory_just_before_a_checkpoint(self, data, tmp_path, monkeypatch):
        """Lightning would create it again, and the run would continue without its earlier files."""
        original = EpochTable.on_train_epoch_end

        def write_then_move(*arguments):
            original(*arguments)
            (tmp_path / "run").rename(tmp_path / "moved")

        monkeypatch.setattr(EpochTable, "on_train_epoch_end", write_then_move)
        with pytest.raises(RunDirError, match="can no longer be written"):
            train([*data, *SMALL, "data.num_workers=0", "trainer.max_epochs=2"], tmp_path / "run")

        assert not (tmp_path / "run").exists()
