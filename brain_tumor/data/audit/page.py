"""``audit.html``: one self-contained page that shows what was found, images side by side."""

import base64
from pathlib import Path
from typing import Any

import cv2
import jinja2
import numpy as np
import numpy.typing as npt
import pandas as pd

from brain_tumor import CAUTION
from brain_tumor.data.audit.findings import label_conflicts
from brain_tumor.data.duplicates.pairs import COPIES
from brain_tumor.data.loading import LoadedData
from brain_tumor.run_dir.atomic import published_file

_SIDE = 128
_SHOWN = 12
"""Pairs of each kind."""


def write_page(
    path: Path, *, title: str, document: dict[str, Any], data: LoadedData, split: pd.DataFrame, command: str
) -> None:
    """Write the page in one step.

    Args:
        path: Of the page.
        title: Its heading.
        document: The content of ``audit.json``.
        data: What was audited.
        split: Its samples with ``split`` filled.
        command: That made the audit.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("brain_tumor.data.audit", "."), autoescape=True, undefined=jinja2.StrictUndefined
    )
    page = environment.get_template("page.html.j2").render(
        title=title,
        caution=CAUTION,
        audit=document,
        galleries={heading: _gallery(pairs, data, split) for heading, pairs in _chosen(data, split).items()},
        command=command,
    )
    with published_file(path) as draft:
        draft.write_text(page, encoding="utf-8")


def _chosen(data: LoadedData, split: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Heading → the pairs shown below it, the least alike first: they are the ones to look at."""
    pairs, side = data.pairs.sort_values("similarity", kind="stable"), split["split"].to_numpy(object)
    copies = pairs[pairs["kind"].isin(COPIES)]
    one, other = side[copies["left"]], side[copies["right"]]
    crossing = copies[(one != other) & (one != "") & (other != "")]
    galleries = {
        "The same image under two classes": label_conflicts(data.samples, pairs),
        "The same image on two sides of the split": crossing,
        "Mirrored copies": copies[copies["mirrored"]],
        "Copies with other pixels": copies[copies["kind"] == "near"],
        "Slices of the same head, not copies": pairs[pairs["kind"] == "related"],
    }
    return {heading: _spread(found) for heading, found in galleries.items() if len(found)}


def _spread(pairs: pd.DataFrame) -> pd.DataFrame:
    """Some of the pairs, each image once if there are enough, from the least alike to the most."""
    fresh = pairs[~(pairs["left"].duplicated() | pairs["right"].duplicated())]
    pool = fresh if len(fresh) >= _SHOWN else pairs
    return pool.iloc[np.unique(np.linspace(0, len(pool) - 1, _SHOWN).round().astype(int))]


def _gallery(pairs: pd.DataFrame, data: LoadedData, split: pd.DataFrame) -> list[dict[str, Any]]:
    return [
        {
            "similarity": f"{similarity:.3f}" + (", mirrored" if mirrored else ""),
            "sides": [
                {
                    "image": _jpeg(data.images[row]),
                    "name": split["sample_id"].iloc[row],
                    "label": split["label"].iloc[row],
                    "split": split["split"].iloc[row],
                }
                for row in rows
            ],
        }
        for rows, similarity, mirrored in zip(
            pairs[["left", "right"]].to_numpy(np.int64), pairs["similarity"], pairs["mirrored"], strict=True
        )
    ]


def _jpeg(image: npt.NDArray[np.uint8]) -> str:
    small = cv2.resize(image, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    return base64.b64encode(cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes()).decode()
