"""``report.html``: results, figures and facts of a run, on one page that needs no network."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from brain_tumor.data.listing import describe_counts
from brain_tumor.evaluation.explain.gallery import Examples
from brain_tumor.evaluation.predictions import Predictions
from brain_tumor.evaluation.report.figures import Figures
from brain_tumor.evaluation.report.first_screen import (
    FINDINGS,
    findings,
    headline,
    one_per_class,
    sample_images,
    tiles,
)
from brain_tumor.evaluation.report.format import format_fact
from brain_tumor.evaluation.report.names import fact_name, metric_name
from brain_tumor.evaluation.report.page import write_page
from brain_tumor.evaluation.report.sections import sections
from brain_tumor.evaluation.result_warnings import result_warnings


def write_run_page(
    path: Path,
    results: Mapping[str, Any],
    figures: Figures,
    facts: Mapping[str, Any],
    test: Predictions,
    *,
    title: str,
    notes: Sequence[str],
    examples: Examples | None = None,
    errors: Examples | None = None,
) -> None:
    """Write the page in one step.

    Args:
        path: File to write.
        results: Content of ``results.json``.
        figures: Section → caption → figure.
        facts: Content of ``run.json``.
        test: Predictions of the test split.
        title: Heading of the page.
        notes: Sentences that a reader needs before the results, warnings of `result_warnings` among them.
        examples: Test images with their maps, if there are any.
        errors: The most confident wrong predictions with their maps, where the results hold no more about them.
    """
    warnings = result_warnings(results)
    worst = [*warnings, *findings(results, test)][:FINDINGS]
    samples = sample_images(examples) if examples else []
    write_page(
        path,
        "run.html.j2",
        title=title,
        headline=headline(results, facts),
        tiles=tiles(results),
        findings=worst,
        samples=one_per_class(samples),
        marked=examples is not None and examples.marked is not None,
        confusion=figures.get("first screen", {}),
        sections=sections(results, figures, samples, sample_images(errors) if errors else []),
        facts=_facts(facts),
        notes=[note for note in notes if note not in worst],
        command=facts["command"],
    )


def _facts(facts: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Sort the facts of a run: heading → name → value."""
    tuned = facts.get("tuning", {})
    data, training = dict(facts.get("data", {})), dict(facts.get("training", {}))
    if "files" in data:
        data["files"] = describe_counts(data["files"])
    if "monitor" in training:
        training["monitor"] = metric_name(training["monitor"])
    shown = {
        "Data": data,
        "Model": facts.get("model", {}),
        "Training": training,
        "Found by the tuner": {
            name: f"{format_fact(found['value'])} ({found['reason']})" for name, found in tuned.items()
        },
        "Seconds": facts["seconds"],
        "Hardware": facts["hardware"],
    }
    named = {
        heading: {fact_name(name): format_fact(value) for name, value in entries.items()}
        for heading, entries in shown.items()
        if entries
    }
    origin = {"Commit": facts["git_sha"] or "unknown", "Seed": format_fact(facts["seed"])}
    if url := facts.get("wandb_url"):
        origin["W&B"] = url
    return named | {"Software": {**facts["versions"], **origin}}
