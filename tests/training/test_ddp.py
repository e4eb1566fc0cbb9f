"""Several processes do what one does; when one of them dies or hangs, the job ends."""

import json
import os
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
import torch
from factories import CENTRES, save

from brain_tumor.errors import RankError
from brain_tumor.train import train

pytestmark = pytest.mark.ddp

SMALL = ["data.image_size=32", "data.num_workers=0", "evaluation.resamples=20", "callbacks=[]", "augmentation=none"]
PLAIN = ["model=timm", "model.name=test_convnext", "model.pretrained=false", "model.dropout=0", "optimizer=sgd"]
"""Neither batch norm, whose statistics are each process's own, nor dropout."""
TWO = ["trainer=ddp_cpu", "trainer.timeout=60"]


def manifest(folder, train_images, evaluated):
    """Images of all classes in turn, a patient each."""
    rows = []
    for split, n in {"train": train_images, "val": evaluated, "test": evaluated}.items():
        for number in range(n):
            label = list(CENTRES)[number % 4]
            path = save(folder / f"{split}{number}.png", label, len(rows))
            rows.append({"path": path, "label": label, "patient_id": f"p{len(rows)}", "split": split})
    pd.DataFrame(rows).to_csv(folder / "samples.csv", index=False)
    return ["data=manifest", f"data.manifest={folder / 'samples.csv'}", "split=official", *SMALL]


def our_processes():
    listed = subprocess.run(["ps", "-eo", "ppid,args"], capture_output=True, text=True, check=True).stdout  # noqa: S607
    mine = [line.split(maxsplit=1) for line in listed.splitlines()]
    return [
        args
        for parent, args in mine
        if "brain_tumor.training.distributed.worker" in args and parent in (str(os.getpid()), "1")
    ]


@pytest.mark.parametrize("n", [11, *(pytest.param(n, marks=pytest.mark.slow) for n in (12, 13))])
def test_same_weights_give_the_same_bits(n, tmp_path):
    still = ["optimizer.lr=0", "trainer.max_epochs=1", "data.eval_batch_size=2"]
    data = [*manifest(tmp_path, 16, n), *PLAIN, *still]
    one = train([*data, "data.batch_size=16"], tmp_path / "one")
    two = train([*data, "data.batch_size=8", *TWO], tmp_path / "two")

    for split in ("val", "test"):
        name = f"predictions/{split}.csv"
        assert (two.run_dir / name).read_bytes() == (one.run_dir / name).read_bytes()
        assert len(pd.read_csv(two.run_dir / name)) == n
    assert two.results == one.results
    tables = [pd.read_csv(run.run_dir / "metrics.csv").filter(like="val/") for run in (one, two)]
    assert tables[0].equals(tables[1])
    assert json.loads((two.run_dir / "run.json").read_text())["processes"] == 2
    assert not {"MASTER_ADDR", "MASTER_PORT", "NODE_RANK", "WORLD_SIZE", "LOCAL_RANK"} & set(os.environ)
    assert not our_processes()
    assert not torch.distributed.is_initialized()
    assert not list(two.run_dir.glob("rank_*.log"))


@pytest.mark.slow
def test_loss_curve_is_that_of_one_process_at_the_same_effective_batch(tmp_path):
    data = [*manifest(tmp_path, 37, 12), *PLAIN, "optimizer.lr=0.05", "trainer.max_epochs=4"]

    one = train([*data, "data.batch_size=16"], tmp_path / "one")
    two = train([*data, "data.batch_size=8", *TWO], tmp_path / "two")

    curves = [pd.read_csv(run.run_dir / "metrics.csv") for run in (one, two)]
    assert curves[0]["train/loss"].nunique() == 4
    for name in ("train/loss", "val/loss"):
        np.testing.assert_allclose(curves[0][name], curves[1][name], rtol=0, atol=1e-5)


LONG = ["model.widths=[8,8]", "trainer.max_epochs=2000", *TWO]


@pytest.fixture
def job(tmp_path):
    """A long training of two processes, from its command line; yields it and how to find rank 1."""
    command = [sys.executable, "-m", "brain_tumor", "train", *manifest(tmp_path, 16, 8), *LONG, "trainer.timeout=30"]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen([*command, f"hydra.run.dir={tmp_path / 'run'}"], stdout=log, stderr=log)
    metrics = tmp_path / "run" / "metrics.csv"
    deadline = time.monotonic() + 600
    while not metrics.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.2)
    yield process, tmp_path
    process.kill()
    process.wait()


def children(pid):
    command = ["pgrep", "-P", str(pid), "-f", "distributed.worker"]
    workers = subprocess.run(command, capture_output=True, text=True, check=False)
    return [int(line) for line in workers.stdout.split()]


@pytest.mark.parametrize("blow", [signal.SIGKILL, pytest.param(signal.SIGSTOP, marks=pytest.mark.long)])
@pytest.mark.slow
def test_a_dead_or_hung_process_ends_the_job(blow, job):
    process, folder = job
    (rank,) = children(process.pid)

    os.kill(rank, blow)
    code = process.wait(timeout=600)

    record = json.loads((folder / "run" / "run.json").read_text())
    told = (folder / "log").read_text().splitlines()[-1]
    assert code == 1
    assert record["status"] == "failed"
    reason = "Process 1 of 2 was ended by SIGKILL" if blow == signal.SIGKILL else "did not answer within"
    assert reason in record["reason"]
    assert reason in told
    assert not os.path.exists(f"/proc/{rank}")  # noqa: PTH110


@pytest.mark.slow
def test_the_others_end_with_the_first(job):
    process, _ = job
    (rank,) = children(process.pid)

    process.kill()
    process.wait()

    deadline = time.monotonic() + 600
    while os.path.exists(f"/proc/{rank}") and time.monotonic() < deadline:  # noqa: PTH110
        time.sleep(0.2)
    assert not os.path.exists(f"/proc/{rank}")  # noqa: PTH110


def test_a_process_that_cannot_start_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/false")

    with pytest.raises(RankError, match="Process 1 of 2 ended with exit code 1"):
        train([*manifest(tmp_path, 16, 8), *TWO, "trainer.max_epochs=1"], tmp_path / "run")


@pytest.mark.slow
def test_torchrun_with_two_nodes(tmp_path):
    """Two agents that meet on the loopback interface stand for two machines."""
    data = [*manifest(tmp_path, 16, 11), *PLAIN, "optimizer.lr=0", "trainer.max_epochs=1", "data.eval_batch_size=2"]
    alone = train([*data, "data.batch_size=16"], tmp_path / "one")
    port = free_port()
    nodes = [
        subprocess.Popen(
            [
                sys.executable, "-m", "torch.distributed.run", "--nnodes=2", f"--node-rank={node}",
                "--nproc-per-node=1", "--rdzv-backend=static", "--master-addr=127.0.0.1", f"--master-port={port}",
                "-m", "brain_tumor.train", *data, "data.batch_size=8", "trainer=ddp_cpu", "trainer.devices=1",
                f"hydra.run.dir={tmp_path / 'two'}",
            ],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )
        for node in range(2)
    ]  # fmt: skip
    told = [node.communicate(timeout=600)[0] for node in nodes]

    assert [node.returncode for node in nodes] == [0, 0], "\n".join(told)
    record = json.loads((tmp_path / "two" / "run.json").read_text())
    assert (record["status"], record["processes"]) == ("finished", 2)
    for split in ("val", "test"):
        name = f"predictions/{split}.csv"
        assert (tmp_path / "two" / name).read_bytes() == (alone.run_dir / name).read_bytes()
    assert "Report:" in told[0]
    assert "Report:" not in told[1]


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.mark.long
def test_two_processes_stop_together_and_go_on(tmp_path):
    """SIGTERM reaches the first process only; together they save, and together they end as if nothing had been."""
    data = [*manifest(tmp_path, 32, 8), "model.widths=[8,8]", "trainer.max_epochs=30", "data.batch_size=2", *TWO]
    command = [sys.executable, "-m", "brain_tumor", "train", *data]
    whole = subprocess.run(
        [*command, f"hydra.run.dir={tmp_path / 'whole'}"], capture_output=True, text=True, check=False
    )
    assert whole.returncode == 0, whole.stderr

    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen([*command, f"hydra.run.dir={tmp_path / 'parts'}"], stdout=log, stderr=log)
    while not (tmp_path / "parts" / "metrics.csv").exists() and process.poll() is None:
        time.sleep(0.02)
    process.terminate()
    code = process.wait(timeout=600)
    status = json.loads((tmp_path / "parts" / "run.json").read_text())["status"]
    again = subprocess.run(
        [*command, f"hydra.run.dir={tmp_path / 'parts'}", "resume=auto"], capture_output=True, text=True, check=False
    )

    assert (code, status) == (128 + signal.SIGTERM, "preempted"), (tmp_path / "log").read_text()
    assert again.returncode == 0, again.stderr
    weights = [
        torch.load(tmp_path / name / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
        for name in ("whole", "parts")
    ]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    tables = [pd.read_csv(tmp_path / name / "metrics.csv").filter(regex="^(train|val)/") for name in ("whole", "parts")]
    assert tables[0].equals(tables[1])


@pytest.mark.long
def test_torchrun_goes_on_with_all_its_processes(tmp_path):
    """Two epochs, then two more, are four, on every process: one without the checkpoint would pull the others away."""
    data = [*manifest(tmp_path, 16, 8), *PLAIN, "optimizer.lr=0.05", "scheduler=constant", "data.batch_size=4"]
    whole = train([*data, *TWO, "trainer.max_epochs=4"], tmp_path / "whole")
    command = [
        sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m", "brain_tumor.train",
        *data, "trainer=ddp_cpu", f"hydra.run.dir={tmp_path / 'parts'}",
    ]  # fmt: skip
    for epochs in (2, 4):
        arguments = [*command, f"trainer.max_epochs={epochs}", "resume=auto", "overwrite=true"]
        done = subprocess.run(arguments, capture_output=True, text=True, timeout=600, check=False)
        assert done.returncode == 0, done.stderr

    weights = [
        torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
        for folder in (whole.run_dir, tmp_path / "parts")
    ]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    tables = [pd.read_csv(folder / "metrics.csv") for folder in (whole.run_dir, tmp_path / "parts")]
    assert tables[1]["epoch"].tolist() == [0, 1, 2, 3]
    assert tables[0]["train/loss"].equals(tables[1]["train/loss"])
