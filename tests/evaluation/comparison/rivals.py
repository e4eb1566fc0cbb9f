"""Models on paper: predictions that are right as often as asked."""

import numpy as np
import pandas as pd

from brain_tumor.evaluation.comparison.candidates import Candidate, align
from brain_tumor.evaluation.predictions import Predictions

NAMES = ("glioma", "meningioma", "no_tumor", "pituitary")


def truth(n=200, names=NAMES, seed=0):
    return np.random.default_rng(seed).integers(0, len(names), n)


def frame(labels, accuracy=0.8, seed=0, *, names=NAMES, group_size=1, ids=None):
    """A predictions table; right or wrong by whole groups, with any confidence above that of a guess."""
    rng = np.random.default_rng([seed, 1])
    n, classes = len(labels), len(names)
    groups = np.arange(n) // group_size
    right = (rng.random(groups[-1] + 1) < accuracy)[groups]
    found = np.where(right, labels, (labels + rng.integers(1, classes, n)) % classes)
    top = rng.uniform(1.2 / classes, 1, n)
    p = np.repeat((1 - top)[:, None] / (classes - 1), classes, axis=1)
    p[np.arange(n), found] = top
    table = pd.DataFrame(p, columns=[f"p_{name}" for name in names])
    table["label"] = np.array(names)[labels]
    table["sample_id"] = [f"image {number:04d}" for number in range(n)] if ids is None else ids
    return table.assign(group=[f"g{group}" for group in groups])


def table(labels, accuracy=0.8, seed=0, **options):
    return Predictions.from_frame(frame(labels, accuracy, seed, **options))


def field(**tables):
    """Candidates by name, each of a table or of several: its seeds."""
    seeds = {name: found if isinstance(found, list) else [found] for name, found in tables.items()}
    labelled = {f"{name}{number}": found for name, all_ in seeds.items() for number, found in enumerate(all_)}
    aligned = align(labelled)
    return [
        Candidate(
            name,
            tuple(f"{name}{number}" for number in range(len(all_))),
            tuple(aligned[f"{name}{number}"] for number in range(len(all_))),
        )
        for name, all_ in seeds.items()
    ]
