"""From what is judged to ``results.json``, ``report.html``, ``figures/`` and ``predictions/``."""

from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from brain_tumor.data.samples import write_table
from brain_tumor.evaluation.evidence import Settings, evidence
from brain_tumor.evaluation.report.checklists import write_checklists
from brain_tumor.evaluation.report.drawing import draw
from brain_tumor.evaluation.report.page import write_page
from brain_tumor.evaluation.report.sections import sections, tiles
from brain_tumor.runtime.conclusion import facts_shown, tell
from brain_tumor.runtime.config import plain
from brain_tumor.runtime.looking import look
from brain_tumor.runtime.record import RunRecord, write_json
from brain_tumor.runtime.subject import Subject


def judge(found: Subject, record: RunRecord, cfg: DictConfig) -> dict[str, Any]:
    """Write the evidence, and print its table; returns the content of ``results.json``."""
    run_dir, settings = Path(cfg.paths.run_dir), Settings(**plain(cfg.evaluation))
    test, folder = found.splits["test"], run_dir / "figures"
    results = evidence(found.splits, settings, cfg.seed, found.chosen, found.attributes) | found.extra
    drawn = draw(results, test, folder)
    if found.shown:
        with record.stage("pictures"):
            seen = look(
                found.shown,
                test,
                folder,
                limit=cfg.limit,
                resamples=settings.resamples,
                seed=cfg.seed,
                foreign=found.foreign,
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
