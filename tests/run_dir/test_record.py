import json
import subprocess
import sys
import time

import pytest

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


@pytest.mark.slow
def test_of_two_starts_at_once_one_is_refused(tmp_path):
    """Ten times two processes claim one directory at the same moment."""
    code = (
        "import sys, time; from pathlib import Path; from brain_tumor.run_dir.record import RunRecord\n"
        "while time.time() < float(sys.argv[2]): pass\n"
        "with RunRecord(Path(sys.argv[1])): time.sleep(1)"
    )
    for attempt in range(10):
        start = str(time.time() + 3)
        command = [sys.executable, "-c", code, str(tmp_path / str(attempt)), start]
        pair = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(2)]
        errors = [process.communicate(timeout=300)[1] for process in pair]

        assert sorted(process.returncode for process in pair) == [0, 1], errors
        assert sum("ConfigError" in error for error in errors) == 1
        assert stored(tmp_path / str(attempt))["status"] == "finished"
