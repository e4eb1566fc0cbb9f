"""How many processes train together, which of them this is, and who starts them."""

import os
from dataclasses import dataclass

from omegaconf import DictConfig

from brain_tumor.errors import ConfigError, require

STRATEGIES = ("auto", "ddp", "fsdp")
_SIZE, _RANK, _ON_THIS_NODE = range(3)
_LAUNCHERS = {
    "torchrun": ("WORLD_SIZE", "RANK", "LOCAL_WORLD_SIZE"),
    "slurm": ("SLURM_NTASKS", "SLURM_PROCID", "SLURM_NTASKS_PER_NODE"),
}


@dataclass(frozen=True)
class World:
    """The processes of one training."""

    size: int
    rank: int
    """Of this process, in [0, size)."""
    local_size: int
    """Processes on this machine."""
    launcher: str
    """``torchrun``, ``slurm``, or ``own`` where this program starts the others."""

    @property
    def nodes(self) -> int:
        """Machines."""
        return self.size // self.local_size


def outer_launcher() -> str | None:
    """Who started this process as one of several, if somebody did.

    A Slurm job script, or an interactive shell, is not a rank: only what ``srun`` starts has a step with tasks.
    """
    if "TORCHELASTIC_RUN_ID" in os.environ:
        return "torchrun"
    in_step = "SLURM_STEP_ID" in os.environ and os.environ.get("SLURM_JOB_NAME") not in ("bash", "interactive")
    return "slurm" if in_step and int(os.environ.get("SLURM_NTASKS", "1")) > 1 else None


def outer_rank() -> int:
    """Rank of this process as ``torchrun`` or Slurm gave it, 0 without them."""
    launcher = outer_launcher()
    return int(os.environ[_LAUNCHERS[launcher][_RANK]]) if launcher else 0


def find_world(trainer: DictConfig) -> World:
    """Work out the processes of a training from its ``trainer`` settings and the environment.

    Raises:
        ConfigError: The settings contradict each other, the machine, or the launcher.
    """
    require(trainer.strategy in STRATEGIES, f"trainer.strategy={trainer.strategy}", " or ".join(STRATEGIES))
    launcher = outer_launcher()
    if launcher is None:
        if trainer.num_nodes != 1:
            raise ConfigError(
                f"trainer.num_nodes={trainer.num_nodes} needs a launcher on each machine: start this command with "
                f"torchrun --nnodes={trainer.num_nodes} --nproc-per-node=GPUS -m brain_tumor.train, or with srun."
            )
        size = _devices_here(trainer)
        _fits(trainer, size)
        return World(size, 0, size, "own")
    names = _LAUNCHERS[launcher]
    size, rank = int(os.environ[names[_SIZE]]), int(os.environ[names[_RANK]])
    local_size = int(os.environ.get(names[_ON_THIS_NODE]) or size // int(os.environ.get("SLURM_NNODES", "1")))
    _fits(trainer, size)
    return World(size, rank, local_size, launcher)


def resolve_world(cfg: DictConfig) -> World:
    """`find_world`, written into ``trainer.devices`` and ``trainer.num_nodes`` of a composed configuration.

    Raises:
        ConfigError: As `find_world`.
    """
    world = find_world(cfg.trainer)
    if world.launcher == "slurm":  # Lightning wants it said, though `srun -n` says as much
        os.environ.setdefault("SLURM_NTASKS_PER_NODE", str(world.local_size))
    if world.launcher != "own" or isinstance(cfg.trainer.devices, int | str):  # a list names GPUs: it stays
        cfg.trainer.devices = world.local_size
    cfg.trainer.num_nodes = world.nodes
    return world


def local_processes(trainer: DictConfig) -> int:
    """Processes on this machine, of settled settings."""
    return trainer.devices if isinstance(trainer.devices, int) else len(trainer.devices)


def _fits(trainer: DictConfig, size: int) -> None:
    if size > 1 and trainer.strategy == "auto":
        raise ConfigError(f"{size} processes need a strategy: set trainer=ddp, or trainer=ddp_cpu without GPUs.")
    if trainer.strategy != "auto" and trainer.accelerator == "gpu" and not _gpus():
        raise ConfigError(
            f"trainer.strategy={trainer.strategy} needs CUDA GPUs and found none; trainer=ddp_cpu starts "
            "processes on the CPU."
        )


def _devices_here(trainer: DictConfig) -> int:
    """How many devices ``trainer.devices`` asks for on this machine."""
    asked = trainer.devices
    if asked in ("auto", -1, "-1"):
        many = trainer.strategy != "auto" and trainer.accelerator != "cpu"
        return max(1, _gpus()) if many else 1
    try:
        count = int(asked) if isinstance(asked, int | str) else len(asked)
    except ValueError:
        count = 0
    require(count > 0, f"trainer.devices={asked}", "auto, a number from 1, or a list of GPUs")
    return count


def _gpus() -> int:
    import torch  # takes seconds: not when only the outer launcher is asked for

    return torch.cuda.device_count()
