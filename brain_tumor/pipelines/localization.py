"""The map of a localizer: its threshold, chosen on validation, and its agreement with the masks of val and test."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from safetensors.numpy import load_file, save

from brain_tumor.data.images import ImageRows, Images
from brain_tumor.data.labels import HEALTHY
from brain_tumor.data.masks import TumourMasks
from brain_tumor.evaluation.explain.gallery import Examples
from brain_tumor.evaluation.localization import choose_threshold, references, with_localization
from brain_tumor.evaluation.map_boxes import Maps, enlarge
from brain_tumor.evaluation.predictions import Predictions
from brain_tumor.run_dir.atomic import published_file
from brain_tumor.types import GreyImage, Rows

_MAPS = "predictions/maps.safetensors"
"""File of a run directory: the maps of val and test, logits float32 [N, h, w], in the order of the tables there."""


@dataclass(frozen=True)
class Localization:
    """What a localizer adds to the predictions."""

    tables: dict[str, pd.DataFrame]
    """Split → predictions table with the columns of `brain_tumor.evaluation.localization`."""
    results: dict[str, Any] = field(default_factory=dict)
    """Entry of ``results.json``: ``localization`` with ``threshold, grid``, and per split ``centre, chance``."""
    examples: Callable[[Predictions, Rows], Examples] | None = None
    """Function from the test predictions and row numbers of some to these images with their maps and masks."""


def localize(
    tables: Mapping[str, pd.DataFrame],
    maps: Mapping[str, Maps],
    samples: pd.DataFrame,
    images: Images,
    masks: TumourMasks,
) -> Localization:
    """Choose the threshold of the maps on validation, and measure them on val and test.

    Args:
        tables: Predictions tables of val and test.
        maps: Their maps [N, h, w], logits.
        samples: Samples table with all their images.
        images: Images uint8 [M, S, S], in the order of ``samples``.
        masks: Tumour masks, in the same order.
    """
    names = pd.Index(samples["sample_id"])
    rows = {split: names.get_indexer(pd.Index(table["sample_id"])) for split, table in tables.items()}
    readers = {split: partial(_masks_of, masks, rows[split]) for split in tables}
    healthy = (samples["label"] == HEALTHY).to_numpy()[rows["val"]]
    tumours = np.flatnonzero(masks.known[rows["val"]] & ~healthy)
    threshold = choose_threshold(maps["val"], readers["val"], tumours)
    measured = {
        split: with_localization(table, maps[split], readers[split], ImageRows(images, rows[split]), threshold)
        for split, table in tables.items()
    }
    section = {"threshold": threshold, "grid": list(maps["val"].shape[1:])}
    section |= {split: references(Predictions.from_frame(table)) for split, table in measured.items()}
    examples = partial(_examples, maps["test"], readers["test"], ImageRows(images, rows["test"]), threshold)
    return Localization(measured, {"localization": section}, examples)


def write_maps(maps: Mapping[str, Maps], run_dir: Path) -> None:
    """Write the maps of val and test beside their predictions tables."""
    path = run_dir / _MAPS
    path.parent.mkdir(exist_ok=True)
    with published_file(path) as draft:
        draft.write_bytes(save(dict(maps)))


def read_maps(run_dir: Path) -> dict[str, Maps] | None:
    """Read the maps of a run; None if it has no trained map."""
    path = run_dir / _MAPS
    return load_file(path) if path.is_file() else None


def _examples(
    maps: Maps, masks: Callable[[Rows], GreyImage], images: Images, threshold: float, test: Predictions, rows: Rows
) -> Examples:
    probabilities = np.stack([enlarge(maps[row], images[int(row)].shape[0]) for row in rows])
    return Examples(test, rows, images[rows], probabilities, masks(rows) == 1, probabilities >= threshold)


def _masks_of(masks: TumourMasks, rows: Rows, positions: Rows) -> GreyImage:
    return masks[rows[positions]]
