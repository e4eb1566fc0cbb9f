"""Seconds that the whole evidence of 10,000 predictions takes, and the bootstrap of 2,000 alone.

python tests/benchmarks/evidence_speed.py
"""

import json
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from brain_tumor.evaluation.evidence import Settings, evidence
from brain_tumor.evaluation.metrics.all_metrics import metric_values
from brain_tumor.evaluation.metrics.bootstrap import intervals
from brain_tumor.evaluation.predictions import Predictions
from brain_tumor.evaluation.report.figures import draw_figures

CLASSES = ("glioma", "meningioma", "no_tumor", "pituitary")
ALL, SMALL = 60, 5


def table(images: int, seed: int) -> Predictions:
    """Predictions of patients with five images each."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(rng.integers(0, 4, images // 5), 5)
    p = rng.dirichlet(np.ones(4), images) * 0.62 + 0.38 * np.eye(4)[labels]  # one in ten is wrong
    frame = pd.DataFrame(p, columns=[f"p_{name}" for name in CLASSES])
    frame = frame.assign(sample_id=[f"{seed}-{n}" for n in range(images)], label=np.array(CLASSES)[labels])
    frame = frame.assign(group=[f"g{n // 5}" for n in range(images)], plane=rng.choice(["axial", "coronal"], images))
    return Predictions.from_frame(frame)


def measure() -> dict[str, Any]:
    """Time both."""
    small = table(2000, 0)
    start = time.perf_counter()
    intervals(partial(metric_values, small), small.groups, resamples=2000)
    bootstrap = time.perf_counter() - start
    splits = {"val": table(10_000, 1), "test": table(10_000, 2)}
    start = time.perf_counter()
    results = evidence(splits, Settings(), attributes=splits["test"].frame[["plane"]])
    whole = time.perf_counter() - start
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        draw_figures(results, splits["test"], Path(folder))
        drawing = time.perf_counter() - start
    return {"bootstrap_s": round(bootstrap, 2), "evidence_s": round(whole, 1), "figures_s": round(drawing, 1)}


def tell(found: dict[str, Any]) -> None:
    """Print what was found against what is asked for."""
    print(f"  all metrics of 2,000 images, 2,000 resamples: {found['bootstrap_s']} s (asked: ≤ {SMALL})")
    print(f"  all evidence of 10,000 validation and 10,000 test images: {found['evidence_s']} s, figures", end=" ")
    print(f"{found['figures_s']} s (asked: ≤ {ALL} together)")


if __name__ == "__main__":
    result = measure()
    tell(result)
    print(json.dumps(result))
