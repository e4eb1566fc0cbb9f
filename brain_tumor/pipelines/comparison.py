"""Compare runs on the same images, and check candidates against a champion."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from brain_tumor.config.instantiate import plain
from brain_tumor.errors import AcceptanceError, ConfigError
from brain_tumor.evaluation.comparison.acceptance import AcceptanceCriteria, check_acceptance
from brain_tumor.evaluation.comparison.candidates import Candidate, Run, make_candidates
from brain_tumor.evaluation.comparison.citations import SOFTWARE
from brain_tumor.evaluation.comparison.paper_formats import csv_table, latex_table, markdown_table
from brain_tumor.evaluation.comparison.paper_table import paper_table, require_metrics
from brain_tumor.evaluation.comparison.ranking import comparison_document
from brain_tumor.evaluation.comparison.resampling import Comparison
from brain_tumor.evaluation.comparison.resampling import compare as compare_candidates
from brain_tumor.evaluation.report.console import criteria_table, ranking_table, show
from brain_tumor.evaluation.report.plots import FigureFormats
from brain_tumor.pipelines.compared_runs import (
    baselines,
    data_citations,
    default_split,
    find_runs,
    leaked,
    left_out_the_test,
    read_runs,
    run_facts,
    unpredicted,
)
from brain_tumor.pipelines.comparison_output import write_outputs
from brain_tumor.run_dir.record import command_line


def compare(cfg: DictConfig) -> dict[str, Any]:
    """Compare the runs that a composed configuration names; write the files and print the ranking.

    Returns:
        Content of ``compare.json``; with a champion also ``change``, the content of ``change_record.json``.
    """
    split = cfg.eval_split or default_split(cfg.runs)
    paths, champion = find_runs(cfg.runs, split), find_runs(cfg.champion, split)
    runs = read_runs([*paths, *champion], split)
    pooled = make_candidates(list(runs.values()), pool=cfg.pool)
    require_metrics(pooled, cfg.columns)
    comparison = compare_candidates(pooled, cfg.metric, resamples=cfg.resamples, seed=cfg.seed, level=cfg.level)
    document = comparison_document(comparison, cfg.columns)
    document["eval_split"] = split
    _add_baselines(document, runs, split)
    document["notes"][:0] = [*_not_a_test(runs, split), *_missing_folds(pooled, runs)]
    change = change_document(comparison, champion, runs, cfg.acceptance) if champion else None
    run_dir = Path(cfg.paths.run_dir)
    tables = _paper_tables(document, cfg, paths)
    write_outputs(
        run_dir, document, change, tables, command=command_line(), figure_formats=FigureFormats(**plain(cfg.figures))
    )
    show(ranking_table(document))
    if change:
        show(criteria_table(change["changes"]))
    for note in document["notes"]:
        show(f"Note: {note}", style="yellow")
    show(f"Page: {run_dir / 'compare.html'}", soft_wrap=True)
    for file in tables:
        show(f"Table: {run_dir / file}", soft_wrap=True)
    return {**document, "change": change} if change else document


def _not_a_test(runs: Mapping[Path, Run], split: str) -> list[str]:
    """Say that these figures choose between runs, and cannot be reported as those of a test."""
    if split == "val":
        return [
            "These are validation images, which runs were selected by: choose with them, and report eval_split=test."
        ]
    tuning = sum(map(left_out_the_test, runs))
    if not tuning:
        return []
    return [
        f"{tuning} of {len(runs)} runs left the test set out (split.tuning=true): what they call test is half of "
        "validation. Do not report it; run the best setting again without split.tuning=true."
    ]


def _missing_folds(candidates: Sequence[Candidate], runs: Mapping[Path, Run]) -> list[str]:
    """Say which candidates lack folds: joined, those of a data set predict each of its images once."""
    notes = []
    for candidate in candidates:
        if candidate.folds > 1:
            paths = [path for path, run in runs.items() if run.name in candidate.runs]
            predicted = set(candidate.tables[0].frame["sample_id"].astype(str))
            if missing := unpredicted(paths, predicted):
                notes.append(
                    f"{candidate.name} lacks folds: none of its {candidate.folds} runs predicted {missing} of "
                    f"{missing + len(predicted)} images; its figures are those of the others."
                )
    return notes


def _add_baselines(document: dict[str, Any], runs: Mapping[Path, Run], split: str) -> None:
    """Add ``baseline`` to each candidate, the mean over its runs, and a note on those that do not exceed it.

    The document's own ``baseline`` has the scores of all metrics, the highest of any candidate: candidates that were
    trained on other images, or at another size, have another baseline.
    """
    scores = {runs[path].name: found for path, found in baselines(list(runs), split).items()}
    below: list[str] = []
    highest: dict[str, float] = {}
    for candidate in document["candidates"]:
        own = [scores[name] for name in candidate["runs"] if name in scores]
        means = {metric: sum(each[metric] for each in own) / len(own) for metric in (own[0] if own else ())}
        highest |= {metric: max(mean, highest.get(metric, mean)) for metric, mean in means.items()}
        candidate["baseline"] = means.get(document["metric"])
        if None not in (candidate["value"], candidate["baseline"]) and candidate["value"] <= candidate["baseline"]:
            below.append(f"{candidate['name']} ({candidate['value']:.3f} against {candidate['baseline']:.3f})")
    document["baseline"] = highest
    if below:
        document["notes"].insert(0, f"No better than the 1-NN baseline in {document['metric']}: {'; '.join(below)}.")


def _paper_tables(document: dict[str, Any], cfg: DictConfig, paths: Sequence[Path]) -> dict[str, str]:
    """Write the tables that ``format`` asks for; returns file name → content."""
    if cfg.format is None:
        return {}
    chosen = [cfg.format] if isinstance(cfg.format, str) else cfg.format
    table, texts = paper_table(document, cfg.columns), {}
    if "latex" in chosen:
        texts["table.tex"] = latex_table(table, [SOFTWARE, *data_citations(paths)])
    if "markdown" in chosen:
        texts["table.md"] = markdown_table(table)
    if "csv" in chosen:
        texts["table.csv"] = csv_table(table)
    return texts


def compare_job(cfg: DictConfig) -> None:
    """Compare for the command line.

    Raises:
        AcceptanceError: A candidate fails a criterion, and ``fail_if_rejected`` asks to stop then.
    """
    document = compare(cfg)
    failed = [change["candidate"] for change in document.get("change", {}).get("changes", []) if not change["passed"]]
    if failed and cfg.fail_if_rejected:
        raise AcceptanceError(
            f"Not every criterion is met by {'; '.join(failed)}: see change_record.md in {cfg.paths.run_dir}."
        )


def change_document(
    comparison: Comparison, champion: Sequence[Path], runs: Mapping[Path, Run], criteria: DictConfig
) -> dict[str, Any]:
    """Compare every other candidate with the champion; returns the content of ``change_record.json``.

    Args:
        comparison: Comparison that has the champion among its candidates.
        champion: Paths of the champion's runs.
        runs: Path → run, of all runs that are compared.
        criteria: Fields of `brain_tumor.evaluation.comparison.acceptance.AcceptanceCriteria`.

    Returns:
        ``changes`` of `check_acceptance`, and ``runs``: name → facts.

    Raises:
        ConfigError: `champion` names runs of several candidates, or there is no other candidate.
    """
    holder = _candidate_of({runs[path].name for path in champion}, comparison.candidates)
    leaks = {candidate.name: _most_leaked(candidate, runs) for candidate in comparison.candidates}
    return {
        "changes": check_acceptance(comparison, holder, AcceptanceCriteria(**plain(criteria)), leaks),
        "runs": {run.name: run_facts(path) for path, run in runs.items()},
    }


def _candidate_of(names: set[str], candidates: Sequence[Candidate]) -> str:
    holders = [candidate.name for candidate in candidates if names & set(candidate.runs)]
    if len(holders) > 1:
        raise ConfigError(
            f"Invalid champion: its runs belong to {len(holders)} candidates ({', '.join(holders)}); expected one."
        )
    if len(candidates) == 1:
        raise ConfigError(
            f"All runs are one candidate, {holders[0]!r}, as they differ only in seed or fold: there is no other "
            "candidate. Compare the runs one by one with pool=false, or give another run."
        )
    return holders[0]


def _most_leaked(candidate: Candidate, runs: Mapping[Path, Run]) -> int | None:
    """Return the largest number of leaked images among a candidate's runs; None if it is unknown for one of them."""
    counts = [leaked(path) for path, run in runs.items() if run.name in candidate.runs]
    known = [count for count in counts if count is not None]
    return max(known) if len(known) == len(counts) else None
