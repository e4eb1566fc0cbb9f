"""``brain-tumor evaluate``: evaluate a frozen model, or a table of predictions.

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
        overrides: Overrides as on the command line: ``["run=RUN", "data=folder", "data.root=DIR"]``.
        run_dir: Directory for ``results.json``, ``report.html``, ``figures/`` and ``predictions/``.

    Returns:
        Content of ``results.json``.

    Raises:
        BrainTumorError: A user's mistake, in one sentence.
    """
    return _run(compose(overrides, run_dir, "evaluate"), overrides)


def _run(cfg: DictConfig, overrides: Sequence[str] | None = None) -> dict[str, Any]:
    from brain_tumor.pipelines.evaluation import evaluate  # imports torch: only once the config is valid

    return evaluate(cfg, overrides)


def main() -> None:
    """Run the verb from the command line."""
    run_app("evaluate", _run)


if __name__ == "__main__":
    main()
