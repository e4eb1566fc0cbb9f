"""Ranks above 0 of a training, started as ``python -m brain_tumor.training.distributed.worker`` with a config on stdin.

A worker fits together with rank 0 and ends; rank 0 alone writes and reports.
"""

import logging
import os
import sys
import threading
import time
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from brain_tumor.errors import BrainTumorError
from brain_tumor.training.distributed.world import resolve_world


def train_as_worker(cfg: DictConfig) -> None:
    """Build the training that ``cfg`` says and fit along.

    Args:
        cfg: Composed; what depends on the machine is settled here as on rank 0, unless that has settled it.
    """
    from lightning import seed_everything

    from brain_tumor.run_dir.resume import checkpoint_to_resume
    from brain_tumor.training import build as assemble
    from brain_tumor.training.fit import fit
    from brain_tumor.training.known_warnings import ignore_known_warnings
    from brain_tumor.training.precision import resolve_precision
    from brain_tumor.training.signals import stop_signals

    world = resolve_world(cfg)
    with ignore_known_warnings():
        seed_everything(cfg.seed, workers=True, verbose=False)
        datamodule = assemble.build_datamodule(cfg)
        datamodule.load()
        classifier = assemble.build_classifier(cfg, datamodule)
        resolve_precision(cfg, classifier, world)
        with stop_signals() as stop, stop.deferred():
            checkpoint = checkpoint_to_resume(Path(cfg.paths.run_dir), cfg.resume)
            fit(assemble.build_trainer(cfg, [], stop), classifier, datamodule, checkpoint)


def main() -> None:
    """What rank 0 starts."""
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    from brain_tumor.training import build as assemble  # noqa: F401 - seconds well spent while rank 0 loads the data

    document = sys.stdin.read()
    if not document:  # rank 0 ended before it came to training
        return
    try:
        train_as_worker(DictConfig(OmegaConf.create(document)))
    except BrainTumorError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)


def _end_with(parent: int) -> None:
    """A rank alone can do nothing but wait."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


if __name__ == "__main__":
    main()
