"""Class names in one spelling, and random labels for control experiments."""

import re

import numpy as np
import pandas as pd

HEALTHY = "no_tumor"
"""Class of scans without a tumour; detection score = 1 − p(HEALTHY)."""

_HEALTHY_NAMES = frozenset(
    {
        "brain_healthy",
        "healthy",
        "healthy_brain",
        "negative",
        "no",
        "no_cancer",
        "no_tumor",
        "non_tumor",
        "none",
        "nontumor",
        "normal",
        "not_cancer",
        "not_tumor",
        "notumor",
        "without_tumor",
    }
)
_TUMOR_NAMES = frozenset({"brain_tumor", "cancer", "positive", "tumor", "with_tumor", "yes"})


def normalise_label(name: str) -> str:
    """Convert a class name to its canonical spelling.

    Lower case, words joined by underscores, ``tumour`` as ``tumor``; a trailing ``_tumor`` is dropped
    (``glioma_tumor`` → ``glioma``), and the many names of healthy scans become ``no_tumor``.

    Example:
        >>> [normalise_label(name) for name in ("Glioma_Tumor", "notumor", "Healthy", "Brain Tumor")]
        ['glioma', 'no_tumor', 'no_tumor', 'tumor']
    """
    words = re.sub(r"[\W_]+", "_", name.strip().lower().replace("tumour", "tumor")).strip("_") or name
    if words in _HEALTHY_NAMES:
        return HEALTHY
    if words in _TUMOR_NAMES:
        return "tumor"
    return words.removesuffix("_tumor")


def random_labels(samples: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Give each group one random class of those in the table: a control in which nothing can be learnt.

    A model that still predicts better than chance has recognised groups that occur in more than one split.

    Args:
        samples: Samples table with ``label`` and ``group``.
        seed: Seed of the random classes.
    """
    groups = sorted(set(samples["group"]))
    drawn = np.random.default_rng(seed).choice(sorted(set(samples["label"])), len(groups))
    return samples.assign(label=samples["group"].map(dict(zip(groups, drawn, strict=True))))
