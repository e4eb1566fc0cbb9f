"""``brain-tumor evaluate``: what a frozen model, or a table of predictions, is worth.

From Python::

    from brain_tumor.evaluate import evaluate

    evaluate(["run=runs/first"])["test"]["f1_macro"]
    evaluate(["predictions=test.csv", "val=val.csv"], run_dir="runs/paper")
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from brain_tumor.cli.app import run_app
from brain_tumor.config.compose import compose


def evaluate(overrides: Sequence[str] = (), run_dir: str | Path = "runs/evaluate") -> dict[str, Any]:
    """Evaluate as ``brain-tumor evaluate`` does.

    Args:
        overrides: As on the command line: ``["run=RUN", "data=folder", "data.root=DIR"]``.
        run_dir: Where ``results.json``, ``report.html``, ``figures/`` and ``predictions/`` go.

    Returns:
        The content of ``results.json``.

    Raises:
        BrainTumorError: A user's mistake, in one sentence.
    """
    return run(compose(overrides, run_dir, "evaluate"))


def run(cfg: DictConfig) -> dict[str, Any]:
    """Evaluate what a composed configuration says."""
    from brain_tumor.pipelines.evaluation import judge
    from brain_tumor.pipelines.evaluation_inputs import subject
    from brain_tumor.run_dir.record import RunRecord

    with RunRecord(Path(cfg.paths.run_dir), overwrite=cfg.overwrite) as record:
        record.note(seed=cfg.seed)
        with record.stage("predict"):
            found = subject(cfg)
        record.note(**found.facts, notes=found.notes)
        with record.stage("evaluate"):
            results = judge(found, record, cfg)
    return results


def main() -> None:
    """The verb."""
    run_app("evaluate", _task)


def _task(cfg: DictConfig) -> None:
    run(cfg)


if __name__ == "__main__":
    main()
