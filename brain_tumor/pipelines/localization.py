"""The map of a localizer: its threshold, chosen on validation, and its agreement with the masks of val and test."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from brain_tumor.data.datamodule import ScanDataModule
from brain_tumor.data.images import ImageRows, Images
from brain_tumor.data.labels import HEALTHY
from brain_tumor.data.masks import TumourMasks
from brain_tumor.evaluation.explain.gallery import example_rows, examples_figure
from brain_tumor.evaluation.localization import Maps, choose_threshold, enlarge, references, with_localization
from brain_tumor.evaluation.predictions import Predictions
from brain_tumor.training.predict import Predicted
from brain_tumor.types import GreyImage, Rows


@dataclass(frozen=True)
class Localization:
    """What a localizer adds to the predictions."""

    predicted: dict[str, Predicted]
    """Split → outputs of the network; their tables have the columns of `brain_tumor.evaluation.localization`."""
    results: dict[str, Any] = field(default_factory=dict)
    """Entry of ``results.json``: ``localization`` with ``threshold, grid``, and per split ``centre, chance``."""
    draw: Callable[[Predictions], Figure] | None = None
    """Function from the test predictions to a figure of images with their maps."""


def add_localization(predicted: dict[str, Predicted], datamodule: ScanDataModule) -> Localization:
    """Add the columns of `brain_tumor.evaluation.localization` to the predictions tables.

    Args:
        predicted: Split → outputs of the network.
        datamodule: Loaded data module.

    Returns:
        What was added; without a trained map ``predicted`` as it was, and nothing else.
    """
    masks, maps = datamodule.masks, {split: each.maps for split, each in predicted.items()}
    if masks is None or maps["val"] is None:
        return Localization(predicted)
    rows = {split: _rows(each, datamodule) for split, each in predicted.items()}
    readers = {split: partial(_masks_of, masks, rows[split]) for split in predicted}
    healthy = (datamodule.samples["label"] == HEALTHY).to_numpy()[rows["val"]]
    threshold = choose_threshold(maps["val"], readers["val"], np.flatnonzero(masks.known[rows["val"]] & ~healthy))
    added, section = {}, {"threshold": threshold, "grid": list(maps["val"].shape[1:])}
    for split, each in predicted.items():
        assert each.maps is not None  # noqa: S101 - one network computed all splits
        images = ImageRows(datamodule.images, rows[split])
        table = with_localization(each.table, each.maps, readers[split], images, threshold)
        added[split] = replace(each, table=table)
        section[split] = references(Predictions.from_frame(table))
    draw = partial(_draw, maps["test"], readers["test"], ImageRows(datamodule.images, rows["test"]), threshold)
    return Localization(added, {"localization": section}, draw)


def _draw(
    maps: Maps | None, masks: Callable[[Rows], GreyImage], images: Images, threshold: float, test: Predictions
) -> Figure:
    """Draw examples of each class with their maps and masks."""
    assert maps is not None  # noqa: S101 - there are maps of test, as of val
    rows = example_rows(test)
    probabilities = np.stack([enlarge(maps[row], images[int(row)].shape[0]) for row in rows])
    return examples_figure(test, rows, images[rows], probabilities, masks(rows) == 1, probabilities >= threshold)


def _rows(predicted: Predicted, datamodule: ScanDataModule) -> Rows:
    names = dict(zip(datamodule.samples["sample_id"], range(len(datamodule.samples)), strict=True))
    return np.array([names[name] for name in predicted.table["sample_id"]], np.int64)


def _masks_of(masks: TumourMasks, rows: Rows, positions: Rows) -> GreyImage:
    return masks[rows[positions]]
