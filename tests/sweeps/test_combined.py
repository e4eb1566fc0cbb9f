"""Sweeps combined with trainings of several processes, wandb, and resuming."""

import json
import os
import subprocess

import pandas as pd
import pytest
import torch
from omegaconf import OmegaConf
from sweep_commands import TINY, read_table, sweep

from brain_tumor.train import train


def worker_commands():
    """Return the command lines of all processes that are a rank of a training."""
    processes = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout  # noqa: S607
    return [line for line in processes.splitlines() if "brain_tumor.training.distributed.worker" in line]


@pytest.mark.ddp
@pytest.mark.long
def test_a_search_over_trainings_of_two_processes(flat_folder, tmp_path, monkeypatch):
    ddp = ["trainer=ddp_cpu", "trainer.max_epochs=2", "data.batch_size=4"]
    before = len(worker_commands())

    code, out = sweep(
        flat_folder, tmp_path / "sweep", *ddp, "hparams_search=optuna", "hydra.sweeper.n_trials=4",
        "logger=wandb", "logger.wandb.offline=true",
    )  # fmt: skip

    assert code == 0, out
    table = read_table(tmp_path / "sweep")
    assert table["status"].tolist() == ["finished"] * 4
    runs = [tmp_path / "sweep" / str(number) for number in range(4)]
    records = [json.loads((run / "run.json").read_text()) for run in runs]
    assert [record["processes"] for record in records] == [2] * 4
    assert len({record["wandb_id"] for record in records}) == 4
    assert [len(list(run.glob("wandb/offline-run-*"))) for run in runs] == [1] * 4
    assert len(worker_commands()) == before
    assert not {"MASTER_ADDR", "LOCAL_RANK"} & set(os.environ)

    # the same settings outside of the sweep give the same weights: both ranks had them
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    saved = OmegaConf.load(runs[3] / ".hydra" / "overrides.yaml")
    settings = [str(text) for text in saved if not str(text).startswith("logger")]
    alone = train([*TINY, f"data.root={flat_folder}", *settings], tmp_path / "alone")
    weights = [
        torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
        for run in (runs[3], alone.run_dir)
    ]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    rates = [pd.read_csv(run / "metrics.csv")["lr"].tolist() for run in (runs[3], alone.run_dir)]
    assert rates[0] == rates[1]


@pytest.mark.slow
def test_a_repeated_sweep_runs_the_jobs_that_did_not_finish(flat_folder, tmp_path):
    folder = tmp_path / "sweep"
    arguments = ["seed=0,1", "trainer.max_epochs=1"]
    assert sweep(flat_folder, folder, *arguments)[0] == 0
    record = json.loads((folder / "1" / "run.json").read_text())
    (folder / "1" / "run.json").write_text(json.dumps(record | {"status": "running", "pid": 1, "host": "elsewhere"}))
    done = (folder / "0" / "run.json").read_bytes()

    code, out = sweep(flat_folder, folder, *arguments, "resume=auto")

    assert code == 0, out
    assert (folder / "0" / "run.json").read_bytes() == done
    assert json.loads((folder / "1" / "run.json").read_text())["resumed"]
    assert read_table(folder)["status"].tolist() == ["finished"] * 2
