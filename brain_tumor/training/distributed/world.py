"""The processes of a training: their number, the rank of this one, and what starts them."""

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
    """Processes of one training."""

    size: int
    """Number of processes (world size)."""
    rank: int
    """Rank of this process, in [0, size)."""
    local_size: int
    """Number of processes on this machine."""
    launcher: str
    """``torchrun``, ``slurm``, or ``own`` if this program starts the workers."""

    @property
    def nodes(self) -> int:
        """Number of machines."""
        return self.size // self.local_size


def outer_launcher() -> str | None:
    """Return the launcher that started this process as one of several, or None.

    A Slurm job script or an interactive shell is not a rank: only processes of ``srun`` have a step with tasks.
    """
    if "TORCHELASTIC_RUN_ID" in os.environ:
        return "torchrun"
    in_step = "SLURM_STEP_ID" in os.environ and os.environ.get("SLURM_JOB_NAME") not in ("bash", "interactive")
    return "slurm" if in_step and int(os.environ.get("SLURM_NTASKS", "1")) > 1 else None


def outer_rank() -> int:
    """Return the rank that torchrun or Slurm gave this process, 0 without them."""
    launcher = outer_launcher()
    return int(os.environ[_LAUNCHERS[launcher][_RANK]]) if launcher else 0


def find_world(trainer: DictConfig) -> World:
    """Find the processes of a training from its ``trainer`` settings and the environment.

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
        size = _local_devices(trainer)
        _check_strategy(trainer, size)
        return World(size, 0, size, "own")
    names = _LAUNCHERS[launcher]
    size, rank = int(os.environ[names[_SIZE]]), int(os.environ[names[_RANK]])
    local_size = int(os.environ.get(names[_ON_THIS_NODE]) or size // int(os.environ.get("SLURM_NNODES", "1")))
    _check_strategy(trainer, size)
    return World(size, rank, local_size, launcher)


def resolve_world(cfg: DictConfig) -> World:
    """Find the world, and write it into ``trainer.devices`` and ``trainer.num_nodes`` of a composed configuration.

    Raises:
        ConfigError: See `find_world`.
    """
    world = find_world(cfg.trainer)
    if world.launcher == "slurm":  # Lightning requires it, though `srun -n` implies it
        os.environ.setdefault("SLURM_NTASKS_PER_NODE", str(world.local_size))
    if world.launcher != "own" or isinstance(cfg.trainer.devices, int | str):  # a list of GPUs stays
        cfg.trainer.devices = world.local_size
    cfg.trainer.num_nodes = world.nodes
    return world


def local_processes(trainer: DictConfig) -> int:
    """Return the number of processes on this machine, given resolved settings."""
    return trainer.devices if isinstance(trainer.devices, int) else len(trainer.devices)


def _check_strategy(trainer: DictConfig, size: int) -> None:
    if size > 1 and trainer.strategy == "auto":
        raise ConfigError(f"{size} processes need a strategy: set trainer=ddp, or trainer=ddp_cpu without GPUs.")
    if trainer.strategy != "auto" and trainer.accelerator == "gpu" and not _gpus():
        raise ConfigError(
            f"trainer.strategy={trainer.strategy} needs CUDA GPUs and found none; trainer=ddp_cpu starts "
            "processes on the CPU."
        )
    if trainer.accelerator == "gpu" and not _has_gpu():
        raise ConfigError(
            "trainer.accelerator=gpu, and torch finds no GPU (CUDA or Apple) on this machine; set trainer=cpu, or "
            "install a driver and a torch that support its GPU."
        )


def _local_devices(trainer: DictConfig) -> int:
    """Return the number of devices that ``trainer.devices`` requests on this machine."""
    devices = trainer.devices
    if devices in ("auto", -1, "-1"):
        several = trainer.strategy != "auto" and trainer.accelerator != "cpu"
        return max(1, _gpus()) if several else 1
    try:
        count = int(devices) if isinstance(devices, int | str) else len(devices)
    except ValueError:
        count = 0
    require(count > 0, f"trainer.devices={devices}", "auto, a number from 1, or a list of GPUs")
    return count


def _gpus() -> int:
    import torch  # imports for seconds: not needed to find the launcher

    return torch.cuda.device_count()


def _has_gpu() -> bool:
    import torch

    return torch.cuda.is_available() or torch.backends.mps.is_available()
