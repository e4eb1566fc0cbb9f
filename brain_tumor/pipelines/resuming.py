"""What a training resumes from, and with which changes of its configuration."""

from dataclasses import dataclass, field
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from brain_tumor.config.resume_keys import Changes, describe, find_changes, require_resumable
from brain_tumor.errors import ConfigError
from brain_tumor.run_dir.record import read_record
from brain_tumor.run_dir.resume import checkpoint_to_resume
from brain_tumor.training.build_classifier import keeps_its_length

CONFIG = Path(".hydra") / "config.yaml"
"""Composed configuration in a run directory."""


@dataclass(frozen=True)
class Interrupted:
    """The run that a training continues."""

    checkpoint: Path | None = None
    """Checkpoint to resume from; None: training starts from the beginning."""
    is_finished: bool = False
    """Whether there is nothing left to do."""
    changes: Changes = field(default_factory=dict)
    """Keys that have another value than when the run was started."""


def find_interrupted(cfg: DictConfig) -> Interrupted:
    """Find the run that ``resume=auto`` continues in the run directory.

    Args:
        cfg: Configuration as composed, before anything in it is resolved.

    Raises:
        ConfigError: A key was changed that a resumed run cannot change, or the run is finished and a key was changed.
    """
    run_dir = Path(cfg.paths.run_dir)
    checkpoint = checkpoint_to_resume(run_dir, cfg.resume)
    record = read_record(run_dir)
    is_finished = cfg.resume == "auto" and record.get("status") == "finished"
    if checkpoint is None and not is_finished:
        return Interrupted()
    before = OmegaConf.load(run_dir / CONFIG) if (run_dir / CONFIG).is_file() else cfg
    changes = find_changes(before, cfg)  # type: ignore[arg-type]
    require_resumable(changes, run_dir)
    if "trainer.max_epochs" in changes and keeps_its_length(cfg):
        raise ConfigError(
            f"{describe(changes)}: scheduler._target_={cfg.scheduler._target_} keeps the length that it started with. "
            "Resume with that number of epochs, or start a new run in another hydra.run.dir."
        )
    if is_finished and not cfg.overwrite and changes:
        raise ConfigError(
            f"{run_dir} holds a finished run, which {describe(changes)} would change; add overwrite=true to go on from "
            "its last epoch and evaluate it again, or start a new run in another hydra.run.dir."
        )
    return Interrupted(checkpoint, is_finished and not cfg.overwrite, changes)


def same_processes(processes: int, run_dir: Path) -> None:
    """Refuse to resume a run with another number of processes, whose steps would see other images.

    Raises:
        ConfigError: The numbers differ.
    """
    before = read_record(run_dir).get("processes", processes)
    if before != processes:
        raise ConfigError(
            f"The interrupted run in {run_dir} trained in {before} processes, and this would be {processes}; start as "
            "many, or start a new run in another hydra.run.dir."
        )
