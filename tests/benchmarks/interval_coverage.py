"""How often do 95 % intervals hold the truth? 500 simulated test sets, of independent images and of patients.

The truth is known, as the simulation can be run on half a million images. The naive bootstrap resamples images one by
one, as if those of a patient were independent.

python tests/benchmarks/interval_coverage.py
"""

import json
import math
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from charts import chart

from brain_tumor.evaluation.decisions import conformal
from brain_tumor.evaluation.metrics import confusion
from brain_tumor.evaluation.metrics.bootstrap import intervals
from brain_tumor.evaluation.metrics.probability import auroc
from brain_tumor.evaluation.predictions import Predictions
from brain_tumor.types import Floats

SETS, RESAMPLES = 500, 1000
CLASSES = ("glioma", "meningioma", "no_tumor", "pituitary")
SHARES = (0.3, 0.2, 0.3, 0.2)
KINDS = {"independent": (300, 1), "patients": (60, 5)}
"""Kind of test set → groups, images of each."""
ASKED = 0.9


def simulate(groups: int, images: int, rng: np.random.Generator) -> Predictions:
    """Images of patients of one class each; half of what misleads the model is common to a patient's images."""
    spread = math.sqrt(0.5) if images > 1 else 0.0
    label = rng.choice(len(CLASSES), groups, p=SHARES)
    common = rng.normal(size=(groups, len(CLASSES)))
    own = rng.normal(size=(groups, images, len(CLASSES)))
    logits = 2.2 * np.eye(len(CLASSES))[label][:, None] + 1.1 * (
        spread * common[:, None] + math.sqrt(1 - spread**2) * own
    )
    p = np.exp(logits).reshape(-1, len(CLASSES))
    group = np.repeat(np.arange(groups), images)
    return Predictions(CLASSES, label[group], p / p.sum(axis=1, keepdims=True), group, pd.DataFrame())


def statistics(table: Predictions, weights: Floats) -> dict[str, Floats]:
    """Accuracy, macro-F1, macro-AUROC and detection's AUROC."""
    matrix = confusion.confusion(table.labels, table.predicted, len(CLASSES), weights)
    areas = np.stack([auroc(table.labels == c, table.probabilities[:, c], weights) for c in range(4)], axis=1)
    assert table.detection is not None
    return {
        "accuracy": confusion.accuracy(matrix),
        "f1_macro": confusion.f1_macro(matrix),
        "auroc": confusion.mean_where(areas, np.isfinite(areas)),
        "detection/auroc": auroc(table.labels != table.healthy, table.detection, weights),
    }


def measure(sets: int = SETS, resamples: int = RESAMPLES) -> dict[str, Any]:
    """Share of intervals that hold the truth, per kind of test set, way of resampling and statistic."""
    found: dict[str, Any] = {"sets": sets, "resamples": resamples}
    for kind, (groups, images) in KINDS.items():
        rng = np.random.default_rng(0)
        large = simulate(500_000 // images, images, rng)
        truth = {name: float(value[0]) for name, value in statistics(large, np.ones((1, len(large.labels)))).items()}
        ways = {"by group": []} if images == 1 else {"by group": [], "naive": []}
        for seed in range(sets):
            table = simulate(groups, images, rng)
            for way, hits in ways.items():
                units = table.groups if way == "by group" else np.arange(len(table.labels))
                spans = intervals(partial(statistics, table), units, resamples, seed)
                hits.append({name: low <= truth[name] <= high for name, (low, high) in spans.items()})
        found[kind] = {"groups": groups, "images": groups * images, "truth": truth} | {
            way: {name: float(np.mean([hit[name] for hit in hits])) for name in truth} for way, hits in ways.items()
        }
    found["conformal"] = {"asked": ASKED, **_conformal(sets)}
    return found


def _conformal(sets: int) -> dict[str, float]:
    """Mean coverage over simulated pairs of validation and test, with its standard error."""
    rng = np.random.default_rng(1)
    coverage = {"marginal": [], "by_class": []}
    for _ in range(sets):
        val, test = simulate(300, 1, rng), simulate(300, 1, rng)
        for name, values in coverage.items():
            members = conformal.prediction_sets(test, conformal.thresholds(val, ASKED, by_class=name == "by_class"))
            held = members[np.arange(len(members)), test.labels]
            lowest = min(held[test.labels == c].mean() for c in range(4)) if name == "by_class" else 0
            values.append((held.mean(), lowest))
    return {
        name: {"coverage": float(np.mean(values, axis=0)[0]), "error": float(np.std(values, axis=0)[0] / sets**0.5)}
        for name, values in coverage.items()
    }


def tell(found: dict[str, Any]) -> None:
    """Print what was found against what is asked for."""
    print(f"  {found['sets']} simulated test sets, {found['resamples']} resamples, BCa intervals of 95 %")
    for kind, (groups, images) in KINDS.items():
        for way in ("by group", "naive"):
            if way in found[kind]:
                shares = ", ".join(f"{name} {share:.1%}" for name, share in found[kind][way].items())
                asked = "asked: 92 to 98 %" if way == "by group" else "what ignoring patients does"
                print(f"  {kind} ({groups} × {images}), {way}: {shares} ({asked})")
    for name in ("marginal", "by_class"):
        one = found["conformal"][name]
        print(f"  conformal sets, {name}: {one['coverage']:.2%} ± {one['error']:.2%} (asked: {ASKED:.0%})")


def plot(found: dict[str, Any], path: Path) -> None:
    """Draw the shares beside each other."""
    rows = [(kind, way) for kind in KINDS for way in ("by group", "naive") if way in found[kind]]
    names = list(found["independent"]["truth"])
    with chart(path, 8, 4.2) as [axes]:
        axes.axvspan(0.92, 0.98, color="0.9", label="asked: 92 to 98 %")
        for marker, name in zip("os^D", names, strict=True):
            axes.plot([found[kind][way][name] for kind, way in rows], range(len(rows)), marker, label=name)
        axes.set_yticks(range(len(rows)), [f"{kind}\n{way}" for kind, way in rows])
        axes.set(xlabel="Share of 95 % intervals that hold the truth", ylim=(-0.5, len(rows) - 0.5))
        axes.legend(loc="best", fontsize=9)


if __name__ == "__main__":
    result = measure()
    tell(result)
    print(json.dumps(result))
