"""``brain-tumor train``: compose → fit → evaluate the best weights on val and test → one run directory.

From Python::

    from brain_tumor.train import train

    run = train(["data=folder", "data.root=scans", "model=resnet18"], run_dir="runs/first")
    run.results["test"]["f1_macro"]
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from omegaconf import DictConfig

from brain_tumor.cli.app import run_app
from brain_tumor.config.compose import compose

if TYPE_CHECKING:
    from brain_tumor.pipelines.training import TrainedRun


def train(overrides: Sequence[str] = (), run_dir: str | Path = "runs/python") -> "TrainedRun":
    """Train and evaluate as ``brain-tumor train`` does.

    Args:
        overrides: Overrides as on the command line: ``["model=resnet18", "trainer.max_epochs=5"]``.
        run_dir: The one directory that the run writes to.

    Raises:
        BrainTumorError: A user's mistake, in one sentence.
    """
    cfg = compose(overrides, run_dir)

    from brain_tumor.pipelines.training import train_run  # imports torch: only once the config is valid

    return train_run(cfg, overrides)


def _run(cfg: DictConfig) -> float | None:
    from brain_tumor.pipelines.training import train_job

    return train_job(cfg)


def main() -> None:
    """Run the verb from the command line."""
    run_app("train", _run)


if __name__ == "__main__":
    main()
