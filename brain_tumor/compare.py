"""``brain-tumor compare``: rank runs on the same images, with intervals and tests.

From Python::

    from brain_tumor.compare import compare

    compare(["runs/cnn", "runs/resnet18"], run_dir="runs/compare")["candidates"][0]["name"]
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from brain_tumor.cli.app import run_app
from brain_tumor.cli.arguments import with_places
from brain_tumor.config.compose import compose


def compare(overrides: Sequence[str] = (), run_dir: str | Path = "runs/compare") -> dict[str, Any]:
    """Compare as ``brain-tumor compare`` does.

    Args:
        overrides: Runs and overrides as on the command line: ``["runs/a", "runs/b", "metric=auroc"]``.
        run_dir: Directory for ``compare.json``, ``compare.csv``, ``pairs.csv``, ``forest.png``, ``compare.html``; with
            a champion also ``change_record.md``, and with ``format=latex`` (markdown, csv) ``table.tex`` (md, csv).

    Returns:
        Content of ``compare.json``; with a champion also ``change``, the content of ``change_record.json``.

    Raises:
        BrainTumorError: A user's mistake, in one sentence. A criterion that is not met raises no error, see ``change``.
    """
    cfg = compose(with_places(overrides, "runs"), run_dir, "compare")

    from brain_tumor.pipelines.comparison import compare as compare_runs  # only once the config is valid

    return compare_runs(cfg)


def _run(cfg: DictConfig) -> None:
    from brain_tumor.pipelines.comparison import compare_job

    compare_job(cfg)


def main() -> None:
    """Run the verb from the command line."""
    run_app("compare", _run)


if __name__ == "__main__":
    main()
