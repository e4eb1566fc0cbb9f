"""From predictions to ``results.json``, ``report.html``, ``figures/`` and the table in the terminal."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from brain_tumor.config.compose import config_files
from brain_tumor.config.instantiate import plain
from brain_tumor.data.samples import write_table
from brain_tumor.evaluation.evidence import Settings, evidence
from brain_tumor.evaluation.explain.gallery import Examples, error_rows, example_rows
from brain_tumor.evaluation.report.checklists import write_checklists
from brain_tumor.evaluation.report.console import results_table, show
from brain_tumor.evaluation.report.figures import Figures, draw_figures
from brain_tumor.evaluation.report.plots import FigureFormats
from brain_tumor.evaluation.report.run_page import write_run_page
from brain_tumor.evaluation.result_warnings import result_warnings
from brain_tumor.pipelines.evaluation_input import EvaluationInput, evaluation_input
from brain_tumor.pipelines.image_evidence import compute_image_evidence
from brain_tumor.run_dir.atomic import write_json
from brain_tumor.run_dir.record import RunRecord


@dataclass(frozen=True)
class Evidence:
    """Computed results, before they are reported."""

    results: dict[str, Any]
    """Content of ``results.json``."""
    figures: Figures
    """Figures of the image evidence: section → caption → figure."""
    examples: Examples | None
    """Test images with their maps, if the image evidence made any."""
    notes: list[str]
    """Sentences that a reader must know before the figures."""


def evaluate(cfg: DictConfig, overrides: Sequence[str] | None = None) -> dict[str, Any]:
    """Evaluate the tables, the run or the model that a composed configuration names.

    Args:
        cfg: Composed configuration.
        overrides: Overrides that it was composed with; None for those of the command line.

    Returns:
        Content of ``results.json``.

    Raises:
        BrainTumorError: A user's mistake, in one sentence.
    """
    files = config_files(cfg, overrides)
    with RunRecord(Path(cfg.paths.run_dir), overwrite=cfg.overwrite, config_files=files) as record:
        record.note(seed=cfg.seed)
        with record.stage("predict"):
            inputs = evaluation_input(cfg)
        record.note(**inputs.facts)
        with record.stage("evaluate"):
            computed = compute_evidence(inputs, record, cfg)
        with record.stage("report"):
            write_report(inputs, computed, record, cfg)
    return computed.results


def compute_evidence(inputs: EvaluationInput, record: RunRecord, cfg: DictConfig) -> Evidence:
    """Compute all evidence, and write ``predictions/`` and ``results.json``."""
    run_dir, settings = record.run_dir, Settings(**plain(cfg.evaluation))
    (run_dir / "predictions").mkdir(exist_ok=True)
    for split, predictions in inputs.splits.items():
        write_table(predictions.frame, run_dir / "predictions" / f"{split}.csv")
    results = evidence(inputs.splits, settings, cfg.seed, inputs.decision_rules, inputs.attributes) | inputs.extra
    figures: Figures = {}
    examples = None
    if inputs.images:
        with record.stage("images"):
            image_evidence = compute_image_evidence(
                inputs.images,
                inputs.splits["test"],
                run_dir / "figures",
                limit=cfg.limit,
                resamples=settings.resamples,
                seed=cfg.seed,
                ood_images=inputs.ood_images,
                figure_formats=FigureFormats(**plain(cfg.figures)),
            )
        results, figures = results | image_evidence.results, image_evidence.figures
        examples = image_evidence.examples
    write_json(results, run_dir / "results.json")
    notes = list(dict.fromkeys([*inputs.notes, *result_warnings(results)]))
    record.note(notes=notes)
    return Evidence(results, figures, examples, notes)


def write_report(inputs: EvaluationInput, computed: Evidence, record: RunRecord, cfg: DictConfig) -> None:
    """Write ``figures/``, ``report.html`` and the checklists; print the results table and where the files are."""
    run_dir, results = record.run_dir, computed.results
    test = inputs.splits["test"]
    formats = FigureFormats(**plain(cfg.figures))
    located = inputs.examples(test, example_rows(test)) if inputs.examples else None
    wrong = error_rows(test)
    errors = inputs.examples(test, wrong) if inputs.examples and located and len(wrong) else None
    figures = draw_figures(results, test, run_dir / "figures", inputs.epochs, located, formats)
    figures |= computed.figures
    write_run_page(
        run_dir / "report.html",
        results,
        figures,
        record.facts,
        test,
        title=inputs.title,
        notes=computed.notes,
        examples=located or computed.examples,
        errors=errors,
    )
    write_checklists(run_dir, results, record.facts)
    show(results_table(results))
    for note in computed.notes:
        show(f"Note: {note}", "yellow")
    for name, place in {"Report": "report.html", "Figures": "figures", "Bundle": "bundle", "Run": ""}.items():
        if (path := run_dir / place).exists():
            show(f"{name + ':':<9}{path}", soft_wrap=True)
