"""Ranks above 0 of a training, started as ``python -m brain_tumor.training.distributed.worker`` with a config on stdin.

A worker fits together with rank 0 and ends; rank 0 alone writes and reports.
"""

import logging
import os
import signal
import sys
import threading
import time
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from brain_tumor.config.plugins import load_plugins
from brain_tumor.errors import BrainTumorError, PreemptedError
from brain_tumor.training.distributed.world import resolve_world


def train_as_worker(cfg: DictConfig) -> None:
    """Build the training that ``cfg`` describes and fit together with the other ranks.

    Args:
        cfg: Composed configuration; what depends on the machine is resolved as on rank 0, unless rank 0 has done so.
    """
    from brain_tumor.run_dir.resume import checkpoint_to_resume
    from brain_tumor.training.fit import fit
    from brain_tumor.training.known_warnings import ignore_known_warnings
    from brain_tumor.training.prepare import load_data, prepare
    from brain_tumor.training.signals import stop_signals

    world = resolve_world(cfg)
    with ignore_known_warnings():
        datamodule = load_data(cfg)
        with stop_signals() as stop:
            prepared = prepare(cfg, datamodule, world, stop)
            with stop.deferred():
                checkpoint = checkpoint_to_resume(Path(cfg.paths.run_dir), cfg.resume)
                fit(prepared.trainer, prepared.classifier, datamodule, checkpoint)


def main() -> None:
    """Run the worker process that rank 0 starts."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches rank 0 too, which stops all
    threading.Thread(target=_exit_with_parent, args=(os.getppid(),), daemon=True).start()
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    from brain_tumor.training import prepare  # noqa: F401 - import for seconds while rank 0 loads the data

    document = sys.stdin.read()
    if not document:  # rank 0 ended before training started
        return
    cfg = DictConfig(OmegaConf.create(document))
    try:
        load_plugins(cfg.plugins)  # where torchrun or Slurm start a rank, composing has done it
        train_as_worker(cfg)
    except BrainTumorError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
    except PreemptedError as error:  # rank 0 reports
        sys.exit(error.exit_code)


def _exit_with_parent(parent: int) -> None:
    """End this process when rank 0 is gone: a worker alone can only wait."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


if __name__ == "__main__":
    main()
