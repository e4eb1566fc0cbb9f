"""``brain-tumor compare``: several runs on the same images, compared as a statistician would.

From Python::

    from brain_tumor.compare import compare

    compare(["runs/cnn", "runs/resnet18"], run_dir="runs/compare")["candidates"][0]["name"]
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from brain_tumor.cli.app import run_app
from brain_tumor.config.compose import compose


def compare(overrides: Sequence[str] = (), run_dir: str | Path = "runs/compare") -> dict[str, Any]:
    """Compare as ``brain-tumor compare`` does.

    Args:
        overrides: As on the command line: ``["runs/a", "runs/b", "metric=auroc"]``.
        run_dir: Where ``compare.json``, ``compare.csv``, ``pairs.csv``, ``forest.png``, ``compare.html`` and, with a
            champion, ``change_record.md`` go.

    Returns:
        The content of ``compare.json``; with a champion also ``change``, the content of ``change_record.json``.

    Raises:
        BrainTumorError: A user's mistake, in one sentence. A criterion that fails is none: see ``change``.
    """
    from brain_tumor.cli.arguments import with_runs

    return run(compose(with_runs(overrides), run_dir, "compare"))


def run(cfg: DictConfig) -> dict[str, Any]:
    """Compare what a composed configuration says."""
    from rich import get_console

    from brain_tumor.evaluation.comparison.candidates import make_candidates
    from brain_tumor.evaluation.comparison.ranking import comparison_document
    from brain_tumor.evaluation.comparison.resampling import compare
    from brain_tumor.evaluation.report.console import criteria_table, ranking_table
    from brain_tumor.pipelines.compared_runs import find_runs, read_runs
    from brain_tumor.pipelines.comparison import change_document
    from brain_tumor.pipelines.comparison_output import write_outputs
    from brain_tumor.run_dir.record import command_line

    runs = find_runs(cfg.runs, cfg.eval_split)
    champion = find_runs(cfg.champion, cfg.eval_split)
    known = read_runs([*runs, *champion], cfg.eval_split)
    tried = make_candidates(list(known.values()), pool=cfg.pool)
    comparison = compare(tried, cfg.metric, resamples=cfg.resamples, seed=cfg.seed, level=cfg.level)
    document = comparison_document(comparison)
    change = change_document(comparison, champion, known, cfg.acceptance) if champion else None
    folder = Path(cfg.paths.run_dir)
    write_outputs(folder, document, change, command=command_line())
    console = get_console()
    console.print(ranking_table(document))
    if change:
        console.print(criteria_table(change["changes"]))
    for note in document["notes"]:
        console.print(f"Note: {note}", style="yellow", highlight=False, markup=False)
    console.print(f"Page: {folder / 'compare.html'}", soft_wrap=True, highlight=False, markup=False)
    return {**document, "change": change} if change else document


def main() -> None:
    """The verb."""
    from brain_tumor.cli.arguments import with_runs

    sys.argv[1:] = with_runs(sys.argv[1:])
    run_app("compare", _task)


def _task(cfg: DictConfig) -> None:
    from brain_tumor.errors import AcceptanceError

    document = run(cfg)
    failed = [change["candidate"] for change in document.get("change", {}).get("changes", []) if not change["passed"]]
    if failed and cfg.fail_if_rejected:
        raise AcceptanceError(
            f"Not every criterion is passed by {'; '.join(failed)}: see change_record.md in {cfg.paths.run_dir}."
        )


if __name__ == "__main__":
    main()
