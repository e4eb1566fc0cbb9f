"""Corrected labels: a table that relabels images whose class in the data set is wrong, or leaves them out."""

from pathlib import Path
from typing import Any

import pandas as pd

from brain_tumor.data.labels import normalise_label
from brain_tumor.data.samples import read_table
from brain_tumor.errors import DataError
from brain_tumor.types import Flags

_KEYS = ("sha256", "sample_id")


def correct(samples: pd.DataFrame, table: str | Path) -> tuple[pd.DataFrame, Flags, dict[str, Any]]:
    """Apply a table of corrections.

    Args:
        samples: Samples table with ``sha256`` filled.
        table: CSV file with a column ``sha256`` or ``sample_id``, which names images (all files of that content, or
            one), and a column ``label``: the right class, or empty to leave the image out. Other columns, such as a
            reason, are ignored.

    Returns:
        The samples with corrected labels; the images that stay, bool [N]; and ``file`` (its name), ``relabelled`` and
        ``left_out`` (numbers of images).

    Raises:
        DataError: The table cannot be read, lacks a column, names an image twice with different labels, or names one
            that is not among the samples.
    """
    rows = read_table(table)
    key = next((name for name in _KEYS if name in rows.columns), None)
    if key is None or "label" not in rows.columns:
        raise DataError(f"{table} has the columns {', '.join(rows.columns)}; expected sha256 or sample_id, and label.")
    labels = rows["label"].map(lambda label: normalise_label(label) if label else "")
    corrections = dict(zip(rows[key], labels, strict=True))
    repeated = rows[key][(rows[key].map(corrections) != labels)]
    if len(repeated):
        raise DataError(f"{table} gives {repeated.iloc[0]} two labels; expected one row per image.")
    if unknown := sorted(set(corrections) - set(samples[key])):
        raise DataError(
            f"{table} names {len(unknown)} images that are not in the data, first {unknown[0]}; expected the {key} of "
            "images in samples.csv of a run or an audit."
        )
    given = samples[key].map(corrections)
    is_out = (given == "").to_numpy()
    changed = (given.notna() & (given != "") & (given != samples["label"])).to_numpy()
    counts = {"file": Path(table).name, "relabelled": int(changed.sum()), "left_out": int(is_out.sum())}
    return samples.assign(label=given.where(changed, samples["label"])), ~is_out, counts
