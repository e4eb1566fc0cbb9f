"""``audit.html``: the findings of an audit, with pairs of images side by side, on one page that needs no network."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd

from brain_tumor.data.duplicates.conflicts import label_conflicts
from brain_tumor.data.duplicates.pairs import COPIES
from brain_tumor.data.loaded_data import LoadedData
from brain_tumor.evaluation.report.page import write_page
from brain_tumor.evaluation.report.raster import data_uri
from brain_tumor.types import GreyImage

_THUMBNAIL = 128
"""Side of a shown image, in pixels."""
_PAIRS_SHOWN = 12
"""Pairs in each gallery."""


def write_audit_page(path: Path, document: dict[str, Any], data: LoadedData, split: pd.DataFrame, command: str) -> None:
    """Write the page in one step.

    Args:
        path: File to write.
        document: Content of ``audit.json``.
        data: Audited images and their pairs.
        split: Samples of the data with ``split`` filled.
        command: Command line that made the audit.

    Raises:
        OSError: The folder cannot be written.
    """
    galleries = {heading: _gallery(pairs, data, split) for heading, pairs in _chosen_pairs(data, split).items()}
    write_page(
        path,
        "audit.html.j2",
        title=document["name"],
        headline=_headline(document),
        audit=document,
        galleries=galleries,
        notes=known_patients(document),
        command=command,
    )


def known_patients(document: dict[str, Any]) -> list[str]:
    """Say where patients come from that nobody gave: the tables of public sets; no sentence without such images."""
    curation = document.get("curation") or {}
    if not curation.get("matched") or not curation.get("sets"):
        return []
    sets = " and ".join(curation["sets"])
    return [
        f"{curation['matched']} of {curation['of']} images are of the public set {sets}: the package knows their "
        f"patients. Cite that set (brain-tumor data list {sets.split(' ')[0]})."
    ]


def _headline(document: dict[str, Any]) -> str:
    """Say in one sentence what the data are; the findings follow on the page."""
    counts = document["counts"]
    distinct = f"{counts['distinct_images']} of {counts['readable']} images are distinct"
    leaks = {
        (row["reference"], row["split"]): row["group"] for row in document["split"]["leakage"] if not row["class"]
    }.get(("train or val", "test"))
    if leaks is None:  # the data cannot be split, or have no test
        return f"{distinct}."
    shared = "show a patient or image of train or val"
    return f"{distinct}; {leaks} test images {shared}." if leaks else f"{distinct}; no test images {shared}."


def _chosen_pairs(data: LoadedData, split: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Choose the pairs of each gallery, the least similar first: these need a look most."""
    pairs, splits = data.pairs.sort_values("similarity", kind="stable"), split["split"].to_numpy(object)
    duplicates = pairs[pairs["kind"].isin(COPIES)]
    left, right = splits[duplicates["left"]], splits[duplicates["right"]]
    leaking = duplicates[(left != right) & (left != "") & (right != "")]
    galleries = {
        "The same image under two classes": label_conflicts(data.samples, pairs),
        "The same image in two splits": leaking,
        "Mirrored duplicates": duplicates[duplicates["mirrored"]],
        "Duplicates turned by a quarter": duplicates[duplicates["turned"]],
        "Near-duplicates": duplicates[duplicates["kind"] == "near"],
        "Slices of the same head, not duplicates": pairs[pairs["kind"] == "related"],
    }
    return {heading: _spread(found) for heading, found in galleries.items() if len(found)}


def _spread(pairs: pd.DataFrame) -> pd.DataFrame:
    """Take pairs evenly from the least to the most similar, each image once if there are enough pairs."""
    unique = pairs[~(pairs["left"].duplicated() | pairs["right"].duplicated())]
    pool = unique if len(unique) >= _PAIRS_SHOWN else pairs
    return pool.iloc[np.unique(np.linspace(0, len(pool) - 1, _PAIRS_SHOWN).round().astype(int))]


def _gallery(pairs: pd.DataFrame, data: LoadedData, split: pd.DataFrame) -> list[dict[str, Any]]:
    return [
        {
            "similarity": similarity,
            "orientation": ", mirrored" if mirrored else ", turned" if turned else "",
            "images": [
                {
                    "src": data_uri(_thumbnail(data.images[row])),
                    "name": split["sample_id"].iloc[row],
                    "label": split["label"].iloc[row],
                    "split": split["split"].iloc[row],
                }
                for row in rows
            ],
        }
        for rows, similarity, mirrored, turned in zip(
            pairs[["left", "right"]].to_numpy(np.int64),
            *(pairs[name] for name in ("similarity", "mirrored", "turned")),
            strict=True,
        )
    ]


def _thumbnail(image: GreyImage) -> GreyImage:
    return np.asarray(cv2.resize(image, (_THUMBNAIL, _THUMBNAIL), interpolation=cv2.INTER_AREA), np.uint8)
