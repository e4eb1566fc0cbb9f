import json
import subprocess
import sys

import numpy as np
import pytest
from factories import predictions

from brain_tumor.errors import ConfigError, DataError, PreemptedError, RunDirError
from brain_tumor.run_dir.record import RunRecord


def stored(run_dir):
    return json.loads((run_dir / "run.json").read_text())


def test_the_record_is_complete_from_the_start(tmp_path):
    with RunRecord(tmp_path / "new") as record:
        first = stored(tmp_path / "new")
        record.note(seed=3)
        with record.stage("data"):
            pass

    assert first["status"] == "running"
    assert {"started", "command", "git_sha", "versions", "hardware", "seconds"} <= set(first)
    assert {"torch", "lightning", "brain-tumor", "python"} <= set(first["versions"])
    last = stored(tmp_path / "new")
    assert (last["status"], last["seed"]) == ("finished", 3)
    assert 0 <= last["seconds"]["data"] < 1
    assert last["ended"] >= last["started"]
    assert {path.name for path in (tmp_path / "new").iterdir()} == {"run.json", ".lock"}


@pytest.mark.parametrize(
    ("error", "status", "reason"),
    [
        (DataError("No images."), "failed", "No images."),
        (RuntimeError("boom"), "failed", "RuntimeError: boom"),
        (KeyboardInterrupt(), "preempted", "KeyboardInterrupt"),
        (PreemptedError(15, "repeat it"), "preempted", "Stopped by SIGTERM; repeat it."),
    ],
)
def test_an_early_end_is_recorded_with_its_reason(tmp_path, error, status, reason):
    with pytest.raises(type(error)), RunRecord(tmp_path):
        raise error

    assert (stored(tmp_path)["status"], stored(tmp_path)["reason"]) == (status, reason)


def test_a_finished_run_is_not_replaced_by_accident(tmp_path):
    with RunRecord(tmp_path):
        pass

    with pytest.raises(ConfigError, match="overwrite=true"):
        RunRecord(tmp_path)
    assert stored(tmp_path)["status"] == "finished"
    (tmp_path / "results.json").write_text("{}")
    (tmp_path / "figures").mkdir()
    (tmp_path / "mine.txt").write_text("")
    with RunRecord(tmp_path, overwrite=True):
        assert stored(tmp_path)["status"] == "running"
        assert {path.name for path in tmp_path.iterdir()} == {"run.json", "mine.txt", ".lock"}


@pytest.mark.parametrize("content", ["", "[]", '{"status": "failed"}'])
def test_a_failed_or_broken_run_is_replaced(tmp_path, content):
    (tmp_path / "run.json").write_text(content)

    with RunRecord(tmp_path):
        assert stored(tmp_path)["status"] == "running"


def test_a_run_directory_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(ConfigError, match=r"cannot be written .*; set hydra\.run\.dir"):
        RunRecord(tmp_path / "file" / "run")


@pytest.mark.parametrize("error", [DataError("samples.csv was not found."), FileNotFoundError(2, "No such file")])
def test_a_missing_run_directory_is_reported_as_the_cause(tmp_path, error):
    record = RunRecord(tmp_path / "run")
    (tmp_path / "run").rename(tmp_path / "moved")

    with pytest.raises(RunDirError, match="resume=auto"), record:
        raise error


def test_other_errors_keep_their_type(tmp_path):
    record = RunRecord(tmp_path / "run")
    (tmp_path / "run").rename(tmp_path / "moved")

    with pytest.raises(RuntimeError, match="boom"), record:
        raise RuntimeError("boom")


def test_an_interrupted_run_is_not_replaced_by_accident(tmp_path):
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "last.ckpt").write_bytes(b"weights")
    (tmp_path / "run.json").write_text('{"status": "preempted"}')

    with pytest.raises(ConfigError, match=r"holds an interrupted run; continue it with resume=auto, .* overwrite=true"):
        RunRecord(tmp_path)
    with RunRecord(tmp_path, resume=True):
        assert (tmp_path / "checkpoints" / "last.ckpt").is_file()


def test_a_living_run_is_not_joined(tmp_path):
    with RunRecord(tmp_path):
        for options in ({}, {"overwrite": True}, {"resume": True}):
            with pytest.raises(ConfigError, match=r"is in use: a run writes to it \(process \d+\)"):
                RunRecord(tmp_path, **options)
    with RunRecord(tmp_path, overwrite=True):
        pass


BARRIER = """
import sys
from pathlib import Path
from brain_tumor import __main__
from brain_tumor.run_dir import record

claim, own, other = record._claim, Path(sys.argv.pop()), Path(sys.argv.pop())

def claim_together(run_dir):
    own.touch()
    while not other.exists():
        pass
    return claim(run_dir)

record._claim = claim_together
sys.argv[0] = "brain-tumor"
__main__.main()
"""
"""A command that waits, just before it claims its directory, for another one to be as far."""


@pytest.mark.long
def test_of_two_starts_at_once_one_runs_and_one_is_refused(tmp_path):
    """Ten times two evaluations of one table claim one directory at the same moment; .hydra is that of the one."""
    for attempt in range(10):
        predictions(np.arange(12) % 4, np.full((12, 4), 0.25)).frame.to_csv(tmp_path / "table.csv", index=False)
        run, marks = tmp_path / str(attempt), [tmp_path / f"{attempt}{name}" for name in "ab"]
        pair = []
        for seed, (own, other) in enumerate((marks, marks[::-1])):
            arguments = ["evaluate", f"predictions={tmp_path / 'table.csv'}", f"seed={seed}", f"hydra.run.dir={run}"]
            command = [sys.executable, "-c", BARRIER, *arguments, "evaluation.resamples=20", str(other), str(own)]
            pair.append(subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True))
        errors = [process.communicate(timeout=300)[1] for process in pair]

        codes = [process.returncode for process in pair]
        assert sorted(codes) == [0, 2], errors
        winner = codes.index(0)
        assert f"{run} is in use: a run writes to it" in errors[1 - winner]
        assert (stored(run)["status"], stored(run)["seed"]) == ("finished", winner)
        assert f"seed: {winner}" in (run / ".hydra" / "config.yaml").read_text().splitlines()
        assert f"- seed={winner}" in (run / ".hydra" / "overrides.yaml").read_text().splitlines()
        assert (run / ".hydra" / "hydra.yaml").is_file()
        assert (run / "results.json").is_file()
