"""Class names in one spelling, and random labels for control experiments."""

import re
import unicodedata

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

    Lower case, words joined by underscores, accented letters in one form (Unicode NFC), ``tumour`` as ``tumor``; a
    trailing ``_tumor`` is dropped (``glioma_tumor`` → ``glioma``), and the many names of healthy scans become
    ``no_tumor``.

    Example:
        >>> [normalise_label(name) for name in ("Glioma_Tumor", "notumor", "Healthy", "Brain Tumor")]
        ['glioma', 'no_tumor', 'no_tumor', 'tumor']
    """
    text = unicodedata.normalize("NFC", name).strip().lower().replace("tumour", "tumor")
    words = (
        re.sub("_+", "_", "".join(letter if _is_part_of_word(letter) else "_" for letter in text)).strip("_") or name
    )
    if words in _HEALTHY_NAMES:
        return HEALTHY
    if words in _TUMOR_NAMES:
        return "tumor"
    return words.removesuffix("_tumor")


def _is_part_of_word(letter: str) -> bool:
    """Whether a character is a letter, a number, or a mark that changes the letter before it, in any script."""
    return unicodedata.category(letter)[0] in "LMN"


def random_labels(samples: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Give each group one random class of those in the table: a control in which nothing can be learnt.

    A model that still predicts better than chance has recognised groups that occur in more than one split.

    Args:
        samples: Samples table with ``label`` and ``group``.
        seed: Seed of the random classes.
    """
    groups = sorted(set(samples["group"]))
    drawn = np.random.default_rng(seed).choice(sorted(set(samples["label"])), len(groups))
    labels = dict(zip(groups, drawn.tolist(), strict=True))  # plain text: checkpoints hold no numpy objects
    return samples.assign(label=samples["group"].map(labels))
