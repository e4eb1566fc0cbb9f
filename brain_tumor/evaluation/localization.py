"""Where is the tumour: agreement of a localizer's map with the mask of each image, as columns of the predictions table.

Columns, empty where unknown:

- ``map_peak``: largest probability of tumour in the map, in [0, 1];
- ``map_area``: share of the image in which the map is at its threshold or above, in [0, 1];
- ``map_hit``: 1 if the maximum of the map lies within the pointing game's tolerance of the tumour, else 0;
- ``map_dice``, ``map_iou``: overlap of the thresholded map and the mask, in [0, 1];
- ``centre_hit``, ``chance_hit``: what the centre of the head, and a random point in it, reach instead of ``map_hit``.

The last five need a mask with a tumour. Metrics are functions of these columns, see `localization_values`.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from scipy.ndimage import distance_transform_edt

from brain_tumor.data.images import Images
from brain_tumor.data.masks import head_mask
from brain_tumor.evaluation.map_boxes import DEFAULT_THRESHOLD, Maps, enlarge
from brain_tumor.evaluation.predictions import Predictions
from brain_tumor.types import Flags, Floats, GreyImage, Rows

TOLERANCE = 15 / 224
"""Largest distance of a hit from the mask, as a fraction of the image width: 15 of 224 pixels (Zhang 2018)."""
OVERLAP = 0.5
"""Intersection over union from which a tumour counts as found (Everingham 2010)."""
_THRESHOLDS = np.linspace(0.05, 0.95, 19)


def choose_threshold(maps: Maps, masks: Callable[[Rows], GreyImage], tumours: Rows) -> float:
    """Choose the probability from which a pixel is marked: that with the largest mean Dice of tumours.

    Args:
        maps: Maps of N validation images.
        masks: Function from row numbers to masks uint8 [B, S, S], 1 inside.
        tumours: Rows of images with a mask that has a tumour, int64 [K].

    Returns:
        `DEFAULT_THRESHOLD` without any such image.
    """
    if not len(tumours):
        return DEFAULT_THRESHOLD
    dice = np.zeros(len(_THRESHOLDS))
    for row in tumours:
        inside = masks(np.array([row]))[0] == 1
        probability = enlarge(maps[row], len(inside))
        dice += [overlap(probability >= threshold, inside)[0] for threshold in _THRESHOLDS]
    return float(_THRESHOLDS[dice.argmax()])


def overlap(marked: Flags, inside: Flags) -> tuple[float, float]:
    """Compute Dice and intersection over union of two regions bool [S, S], of which the second is not empty."""
    both, total = float((marked & inside).sum()), float(marked.sum() + inside.sum())
    return 2 * both / total, both / (total - both)


def with_localization(
    table: pd.DataFrame, maps: Maps, masks: Callable[[Rows], GreyImage], images: Images, threshold: float
) -> pd.DataFrame:
    """Add the columns of this module to a predictions table of N images.

    Args:
        table: Predictions table.
        maps: Maps [N, h, w].
        masks: Function from row numbers to masks uint8 [B, S, S]: 1 inside, 0 outside, `UNKNOWN_MASK` unknown.
        images: Images uint8 [N, S, S], from which the head is segmented.
        threshold: Probability from which a pixel is marked.
    """
    records = []
    for row in range(len(table)):
        mask = masks(np.array([row]))[0]
        probability = enlarge(maps[row], len(mask))
        marked = probability >= threshold
        record = {"map_peak": float(probability.max()), "map_area": float(marked.mean())}
        if mask.max() == 1:
            record |= _against(probability, marked, mask == 1, images[row])
        records.append(record)
    columns = ["map_peak", "map_area", "map_hit", "map_dice", "map_iou", "centre_hit", "chance_hit"]
    return table.join(pd.DataFrame(records, index=table.index).reindex(columns=columns))


def _against(probability: Maps, marked: Flags, inside: Flags, image: GreyImage) -> dict[str, float]:
    distance = np.asarray(distance_transform_edt(~inside))
    near = distance <= TOLERANCE * len(inside)
    head = head_mask(image)
    rows, columns = np.nonzero(head)
    centre = (rows.min() + rows.max()) // 2, (columns.min() + columns.max()) // 2
    dice, iou = overlap(marked, inside)
    return {
        "map_hit": float(near.flat[probability.argmax()]),
        "map_dice": dice,
        "map_iou": iou,
        "centre_hit": float(near[centre]),
        "chance_hit": float(near[head | inside].mean()),
    }


def localization_values(predictions: Predictions, weights: Floats) -> dict[str, Floats]:
    """Compute the metrics of localisation, for many weightings of the images at once.

    Args:
        predictions: Predictions of N images.
        weights: Weights of the images float64 [B, N].

    Returns:
        Name → float64 [B], in [0, 1]; empty without the columns of this module. Of images whose mask has a tumour:
        ``localization/pointing`` (share of hits), ``localization/dice`` and ``localization/iou`` (means),
        ``localization/iou50`` (share with an IoU of `OVERLAP` or more). Of healthy images: ``localization/false_area``,
        the mean share of the image that is marked.
    """
    return {name: _mean(values, weights) for name, values in _by_image(predictions).items()}


def localization_images(predictions: Predictions) -> dict[str, Flags]:
    """Return the images that count in each metric of `localization_values`, bool [N]."""
    return {name: np.isfinite(values) for name, values in _by_image(predictions).items()}


def _by_image(predictions: Predictions) -> dict[str, Floats]:
    frame = predictions.frame
    if "map_dice" not in frame:
        return {}
    columns = {
        name: pd.to_numeric(frame[name], errors="coerce").to_numpy(np.float64)
        for name in ("map_hit", "map_dice", "map_iou", "map_area")
    }
    found = np.where(np.isfinite(columns["map_iou"]), columns["map_iou"] >= OVERLAP, np.nan)
    values = {"pointing": columns["map_hit"], "dice": columns["map_dice"], "iou": columns["map_iou"], "iou50": found}
    if predictions.healthy is not None:
        values["false_area"] = np.where(predictions.labels == predictions.healthy, columns["map_area"], np.nan)
    return {f"localization/{name}": value for name, value in values.items()}


def _mean(values: Floats, weights: Floats) -> Floats:
    known = np.isfinite(values)
    with np.errstate(invalid="ignore"):
        return np.asarray(weights[:, known] @ values[known] / weights[:, known].sum(axis=1))


def references(predictions: Predictions) -> dict[str, Any]:
    """Return what the centre of the head and a random point in it reach in the pointing game; None without masks."""
    values = {name: pd.to_numeric(predictions.frame[f"{name}_hit"], errors="coerce") for name in ("centre", "chance")}
    return {name: None if value.isna().all() else float(value.mean()) for name, value in values.items()}
