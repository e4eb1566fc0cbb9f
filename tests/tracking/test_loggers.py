"""What the experiment loggers record, read back with their own readers."""

import os
import subprocess
import sys

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from brain_tumor.config.compose import compose
from brain_tumor.tracking.loggers import open_loggers, wandb_id


def test_none_by_default(tmp_path):
    with open_loggers(compose([], tmp_path)) as loggers:
        assert loggers == []
        assert wandb_id(loggers) is None


def test_tensorboard_gets_metrics_below_the_run_directory(tmp_path):
    with open_loggers(compose(["logger=tensorboard"], tmp_path)) as [logger]:
        logger.log_metrics({"val/f1_macro": 0.5}, step=3)

    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    [event] = events.Scalars("val/f1_macro")
    assert (event.step, event.value) == (3, pytest.approx(0.5))


def test_wandb_runs_offline_one_after_another(tmp_path):
    ids = []
    for number in range(2):
        cfg = compose(["logger=wandb", "logger.wandb.offline=true"], tmp_path / str(number))
        with open_loggers(cfg) as loggers:
            loggers[0].log_metrics({"val/f1_macro": 0.5}, step=0)
            ids.append(wandb_id(loggers))
        assert sys.modules["wandb"].run is None
        assert list((tmp_path / str(number) / "wandb").glob("offline-run-*/run-*.wandb"))

    assert len(set(ids)) == 2


def test_wandb_run_is_finished_when_the_job_fails(tmp_path):
    cfg = compose(["logger=wandb", "logger.wandb.offline=true"], tmp_path)

    with pytest.raises(ZeroDivisionError), open_loggers(cfg) as loggers:
        loggers[0].log_metrics({"loss": torch.tensor(1.0 / 0)})

    assert sys.modules["wandb"].run is None


@pytest.mark.slow
def test_wandb_without_an_account_suggests_offline(tmp_path, flat_folder):
    """Run in its own process, as wandb keeps its first settings in a process."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("WANDB_")}
    environment |= {"HOME": str(tmp_path), "WANDB_API_KEY": ""}
    arguments = [
        "train",
        "data=folder",
        f"data.root={flat_folder}",
        f"hydra.run.dir={tmp_path / 'run'}",
        "logger=wandb",
    ]

    done = subprocess.run(
        [sys.executable, "-m", "brain_tumor", *arguments],
        capture_output=True,
        text=True,
        timeout=600,
        env=environment,
    )

    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "logger.wandb cannot start" in done.stderr
    assert "set logger.wandb.offline=true" in done.stderr
