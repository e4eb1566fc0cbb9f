"""From predictions to ``results.json``, ``report.html``, ``figures/`` and the table in the terminal."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from omegaconf import DictConfig
from rich import get_console

from brain_tumor.config.instantiate import plain
from brain_tumor.data.attributes import attributes
from brain_tumor.data.baseline import BASELINE, asked, baseline_scores, cached_nearest
from brain_tumor.data.datamodule import ScanDataModule
from brain_tumor.data.duplicates.leakage import leak_counts
from brain_tumor.data.samples import write_table
from brain_tumor.errors import BundleError
from brain_tumor.evaluation.evidence import Settings, evidence
from brain_tumor.evaluation.ood.evaluation import rejected_share
from brain_tumor.evaluation.predictions import Predictions, ood_scores_of
from brain_tumor.evaluation.report.checklists import write_checklists
from brain_tumor.evaluation.report.figures import draw
from brain_tumor.evaluation.report.format import results_table
from brain_tumor.evaluation.report.page import write_page
from brain_tumor.evaluation.report.sections import sections, tiles
from brain_tumor.pipelines.evaluation_inputs import Subject
from brain_tumor.pipelines.image_evidence import look
from brain_tumor.run_dir.record import RunRecord, write_json
from brain_tumor.serving.packing import pack

log = logging.getLogger(__name__)


def evaluate(tables: dict[str, pd.DataFrame], datamodule: ScanDataModule, cfg: DictConfig) -> dict[str, Any]:
    """Write ``results.json``: the evidence of val and test, what the detector rejects, and the baseline beside it."""
    splits = {split: Predictions.from_frame(table) for split, table in tables.items()}
    parts = attributes(datamodule.samples, datamodule.facts, datamodule.images, datamodule.rows("test"))
    results: dict[str, Any] = evidence(splits, Settings(**plain(cfg.evaluation)), cfg.seed, attributes=parts)
    results["leakage"] = {"allowed": cfg.split.allow_leakage, **leak_counts(datamodule.leakage)}
    results["baseline"] = {"name": BASELINE, **{split: _baseline(datamodule, split) for split in tables}}
    results |= _ood_rejection(splits, cfg)
    write_json(results, Path(cfg.paths.run_dir) / "results.json")
    return results


def _ood_rejection(splits: dict[str, Predictions], cfg: DictConfig) -> dict[str, Any]:
    """Shares of scans that the detector rejects, and the share it was asked for; nothing without a detector."""
    scores = {split: ood_scores_of(predictions.frame) for split, predictions in splits.items()}
    shares = {
        split: rejected_share(found, splits[split].groups, resamples=cfg.evaluation.resamples, seed=cfg.seed)
        for split, found in scores.items()
        if found is not None
    }
    return {"ood_rejection": {"target": cfg.ood.reject_share, **shares}} if shares else {}


def _baseline(datamodule: ScanDataModule, split: str) -> dict[str, float]:
    known, queries = datamodule.rows("train"), asked(datamodule.rows(split))
    found = cached_nearest(datamodule.entry, datamodule.views, known, queries)
    return baseline_scores(datamodule.labels, found, queries)


def bundle(run_dir: Path) -> None:
    """Write ``bundle/``; a run whose network no bundle can hold does without."""
    try:
        pack(run_dir)
    except BundleError as error:
        log.warning("No bundle is written: %s", error)


def present(
    record: RunRecord,
    tables: dict[str, pd.DataFrame],
    results: dict[str, Any],
    cfg: DictConfig,
) -> None:
    """Write ``figures/`` and ``report.html``, and print the results table and where everything lies."""
    run_dir = Path(cfg.paths.run_dir)
    notes = record.facts["notes"]
    metrics = run_dir / "metrics.csv"  # absent where callbacks.epoch_table is left out
    epochs = pd.read_csv(metrics) if metrics.is_file() else None
    drawn = draw(results, Predictions.from_frame(tables["test"]), run_dir / "figures", epochs)
    write_page(
        run_dir / "report.html",
        title=f"{record.facts['model']['name']} on {record.facts['data']['name']}",
        tiles=tiles(results),
        sections=sections(results, drawn),
        facts=facts_shown(record.facts),
        notes=notes,
        command=record.facts["command"],
    )
    write_checklists(run_dir, results, record.facts)
    tell(results, notes, run_dir)


def tell(results: dict[str, Any], notes: Sequence[str], run_dir: Path) -> None:
    """Print the results table, what a reader must know, and where everything lies."""
    console = get_console()
    console.print(results_table(results))
    for note in notes:
        console.print(f"Note: {note}", style="yellow", highlight=False, markup=False)
    for what, name in {"Report": "report.html", "Figures": "figures", "Bundle": "bundle", "Run": ""}.items():
        if (path := run_dir / name).exists():
            console.print(f"{what + ':':<9}{path}", soft_wrap=True, highlight=False, markup=False)


def facts_shown(facts: dict[str, Any]) -> dict[str, dict[str, str]]:
    """The run's record as the report shows it."""
    shown = {
        "Data": facts.get("data", {}),
        "Model": facts.get("model", {}),
        "Training": facts.get("training", {}),
        "Seconds": facts["seconds"],
        "Software": {**facts["versions"], "git": facts["git_sha"] or "unknown", "seed": facts["seed"]},
        "Hardware": facts["hardware"],
    }
    return {heading: _texts(entries) for heading, entries in shown.items() if entries}


def _texts(facts: dict[str, Any]) -> dict[str, str]:
    return {name: _text(value) for name, value in facts.items()}


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return "; ".join(f"{name}: {_text(inner)}" for name, inner in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "none"
    return f"{value:g}" if isinstance(value, float) else "none" if value is None else str(value)


def _partial(trainer: DictConfig) -> bool:
    """Were batches left out? A whole number counts batches, a fraction is a share of them (Lightning)."""
    limits = [trainer[f"limit_{loop}_batches"] for loop in ("train", "val", "predict")]
    return bool(trainer.overfit_batches) or any(limit is not None and repr(limit) != "1.0" for limit in limits)


def notes(datamodule: ScanDataModule, cfg: DictConfig) -> list[str]:
    """What a reader must know before the figures."""
    found = []
    if cfg.data.adapter._target_.startswith("brain_tumor.data.phantom"):
        found.append("These are generated phantoms: the figures say that the system works, nothing about patients.")
    if cfg.data.random_labels:
        found.append("Classes are random, one a patient (data.random_labels=true): above chance, the split leaks.")
    leaks = leak_counts(datamodule.leakage)
    if any(leaks.values()):
        found.append(
            f"This split leaks, and that was allowed (split.allow_leakage=true): {leaks['test_in_train']} test and "
            f"{leaks['val_in_train']} val images show a patient or an image that stands in training, "
            f"{leaks['test_in_val']} test images one that stands in val. These figures are inflated."
        )
    if _partial(cfg.trainer):
        found.append("Only some batches were run (debug): the figures mean nothing.")
    return found


def judge(found: Subject, record: RunRecord, cfg: DictConfig) -> dict[str, Any]:
    """Write the evidence, and print its table; returns the content of ``results.json``."""
    run_dir, settings = Path(cfg.paths.run_dir), Settings(**plain(cfg.evaluation))
    test, folder = found.splits["test"], run_dir / "figures"
    results = evidence(found.splits, settings, cfg.seed, found.chosen, found.attributes) | found.extra
    drawn = draw(results, test, folder)
    if found.shown:
        with record.stage("images"):
            seen = look(
                found.shown,
                test,
                folder,
                limit=cfg.limit,
                resamples=settings.resamples,
                seed=cfg.seed,
                ood_images=found.ood_images,
            )
        results, drawn = results | seen.results, drawn | seen.figures
    for split, predictions in found.splits.items():
        (run_dir / "predictions").mkdir(exist_ok=True)
        write_table(predictions.frame, run_dir / "predictions" / f"{split}.csv")
    write_json(results, run_dir / "results.json")
    write_page(
        run_dir / "report.html",
        title=found.title,
        tiles=tiles(results),
        sections=sections(results, drawn),
        facts=facts_shown(record.facts),
        notes=found.notes,
        command=record.facts["command"],
    )
    write_checklists(run_dir, results, record.facts)
    tell(results, found.notes, run_dir)
    return results
