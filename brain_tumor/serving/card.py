"""The model card of a bundle: what the model is, what its figures are worth, and where it ends."""

from pathlib import Path
from typing import Any

import jinja2

from brain_tumor import CAUTION
from brain_tumor.evaluation.summary import DETECTION, HEADLINES, show
from brain_tumor.serving.bundle import Bundle

_INDEXED = (
    ("f1", "f1_macro", "macro-F1"),
    ("accuracy", "accuracy", "accuracy"),
    ("roc_auc", "auroc", "macro-AUROC"),
)
"""Type that the Hugging Face hub knows, metric here, name."""


def model_card(bundle: Bundle, facts: dict[str, Any], results: dict[str, Any]) -> str:
    """Markdown with the front matter of the Hugging Face hub.

    Args:
        bundle: The model.
        facts: The content of the run's ``run.json``; paths of the machine are left out.
        results: The content of its ``results.json``.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("brain_tumor.serving", "."),
        autoescape=False,  # noqa: S701 - Markdown, of our own figures
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
    )
    data = facts["data"] | {"name": Path(facts["data"]["name"]).name or "data"}
    return environment.get_template("card.md.j2").render(
        title=f"{facts['model']['name']} on {data['name']}",
        caution=CAUTION,
        bundle=bundle,
        classes=bundle.classes,
        healthy=bundle.healthy_class,
        model=facts["model"],
        pretrained=facts["model"]["weights"] != "none",
        data=data,
        leaks=_leaks(data["leakage"]),
        notes=facts.get("notes", []),
        results=results,
        show=show,
        headlines=[name for name in (*HEADLINES, *DETECTION) if name in results["test"]],
        indexed=_INDEXED,
    )


def _leaks(counts: dict[str, int]) -> str:
    """``3 images of test_in_train``, …; empty where nothing leaks."""
    return ", ".join(f"{count} images {name.replace('_', ' ')}" for name, count in counts.items() if count)
