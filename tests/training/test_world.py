import os

import pytest
from omegaconf import OmegaConf

from brain_tumor.errors import ConfigError
from brain_tumor.training.distributed.world import World, find_world, outer_launcher, outer_rank, resolve_world

TORCHRUN = {
    "TORCHELASTIC_RUN_ID": "x",
    "WORLD_SIZE": "4",
    "RANK": "3",
    "LOCAL_RANK": "1",
    "LOCAL_WORLD_SIZE": "2",
}
SLURM = {
    "SLURM_STEP_ID": "0",
    "SLURM_NTASKS": "4",
    "SLURM_PROCID": "2",
    "SLURM_NTASKS_PER_NODE": "2",
    "SLURM_JOB_NAME": "train",
}


@pytest.fixture(autouse=True)
def _nobody_launched(monkeypatch):
    for name in {*TORCHRUN, *SLURM, "SLURM_NNODES"}:
        monkeypatch.delenv(name, raising=False)


def settings(**changes):
    defaults = {"strategy": "ddp", "accelerator": "cpu", "devices": 2, "num_nodes": 1}
    return OmegaConf.create(defaults | changes)


def set_all(monkeypatch, variables):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


def test_this_program_starts_the_processes_of_one_machine():
    assert find_world(settings()) == World(2, 0, 2, "own")
    assert find_world(settings(strategy="auto", devices=1)) == World(1, 0, 1, "own")
    assert find_world(settings(strategy="auto", devices="auto")).size == 1
    assert outer_rank() == 0


@pytest.mark.parametrize(("variables", "launcher", "rank"), [(TORCHRUN, "torchrun", 3), (SLURM, "slurm", 2)])
def test_another_launcher_tells_how_many(variables, launcher, rank, monkeypatch):
    set_all(monkeypatch, variables)
    cfg = OmegaConf.create({"trainer": settings(devices="auto")})

    world = resolve_world(cfg)

    assert world == World(4, rank, 2, launcher)
    assert (world.nodes, outer_rank()) == (2, rank)
    assert (cfg.trainer.devices, cfg.trainer.num_nodes) == (2, 2)


def test_slurm_without_tasks_per_node(monkeypatch):
    set_all(monkeypatch, SLURM | {"SLURM_NNODES": "4"})
    monkeypatch.delenv("SLURM_NTASKS_PER_NODE")

    assert resolve_world(OmegaConf.create({"trainer": settings()})).local_size == 1
    assert os.environ["SLURM_NTASKS_PER_NODE"] == "1"  # without which Lightning refuses


@pytest.mark.parametrize("changes", [{"SLURM_NTASKS": "1"}, {"SLURM_JOB_NAME": "interactive"}])
def test_a_single_slurm_task_is_alone(changes, monkeypatch):
    set_all(monkeypatch, SLURM | changes)

    assert outer_launcher() is None


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"num_nodes": 2}, "torchrun --nnodes=2"),
        ({"strategy": "auto"}, "2 processes need a strategy: set trainer=ddp"),
        ({"strategy": "dp"}, "Invalid trainer.strategy=dp: expected auto or ddp or fsdp"),
        ({"devices": 0}, "Invalid trainer.devices=0"),
        ({"devices": "many"}, "Invalid trainer.devices=many"),
    ],
)
def test_contradictions_end_with_one_sentence(changes, sentence):
    with pytest.raises(ConfigError, match=sentence):
        find_world(settings(**changes))
