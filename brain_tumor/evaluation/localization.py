"""Where is the tumour: agreement of a localizer's map with the mask of each image, as columns of the predictions table.

Columns, empty where unknown:

- ``map_peak``: largest probability of tumour in the map, in [0, 1];
- ``map_area``: share of the image in which the map is at its threshold or above, in [0, 1];
- ``map_hit``: 1 if the maximum of the map lies within the pointing game's tolerance of the tumour, else 0;
- ``map_dice``, ``map_iou``: overlap of the thresholded map and the mask, in [0, 1];
- ``centre_hit``, ``chance_hit``: what the centre of the head, and a random point in it, reach instead of ``map_hit``.

The last five need a mask with a tumour. Metrics are functions of these columns, see `localization_values`.
"""

from collections.abc import Callable, Sequence
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.ndimage import distance_transform_edt

from brain_tumor.data.cache.decoding import fitted_size
from brain_tumor.data.images import Images
from brain_tumor.data.masks import head_mask
from brain_tumor.evaluation.predictions import Predictions
from brain_tumor.types import Flags, Floats, GreyImage, Rows

Maps = npt.NDArray[np.float32]
"""Logits of the cells of maps, [N, h, w]."""
TOLERANCE = 15 / 224
"""Largest distance of a hit from the mask, as a fraction of the image width: 15 of 224 pixels (Zhang 2018)."""
Box = tuple[int, int, int, int]
"""``x0, y0, x1, y1``: left, top, right and bottom edge in pixels; columns from x1 and rows from y1 on are outside."""
BOX = ("x0", "y0", "x1", "y1")
OVERLAP = 0.5
"""Intersection over union from which a tumour counts as found (Everingham 2010)."""
DEFAULT_THRESHOLD = 0.5
"""Probability from which a pixel is marked where validation cannot choose."""
_THRESHOLDS = np.linspace(0.05, 0.95, 19)


def enlarge(cells: npt.NDArray[np.float32], size: int) -> npt.NDArray[np.float32]:
    """Enlarge one map, logits [h, w], to probabilities float32 [size, size] in [0, 1]; between cells it is linear."""
    logits = cv2.resize(np.asarray(cells, np.float32), (size, size), interpolation=cv2.INTER_LINEAR)
    return np.asarray(1 / (1 + np.exp(-logits)), np.float32)


def tumour_box(cells: npt.NDArray[np.float32], size: int, threshold: float, shape: tuple[int, int]) -> Box | None:
    """Return the box around the marked region with the most evidence, in pixels of the original image.

    Args:
        cells: Map, logits [h, w].
        size: Height and width of the image that the network saw, in pixels.
        threshold: Probability from which a pixel is marked.
        shape: Height and width of the original image, which was resized and centred by
            `brain_tumor.data.cache.decoding.fit_square`.

    Returns:
        ``(x0, y0, x1, y1)`` with 0 ≤ x0 < x1 ≤ width and 0 ≤ y0 < y1 ≤ height; None if no pixel is marked.
    """
    probability = enlarge(cells, size)
    _, regions = cv2.connectedComponents((probability >= threshold).astype(np.uint8))
    evidence = np.bincount(regions.ravel(), probability.ravel())
    evidence[0] = 0
    if not evidence.any():
        return None
    y, x = np.nonzero(regions == evidence.argmax())
    width, height = fitted_size(shape, size)
    spans = []
    for near, fitted, original in ((x, width, shape[1]), (y, height, shape[0])):
        margin, scale = (size - fitted) // 2, original / fitted
        low = np.clip(np.floor((near.min() - margin) * scale), 0, original - 1)
        spans.append((int(low), int(np.clip(np.ceil((near.max() + 1 - margin) * scale), low + 1, original))))
    (x0, x1), (y0, y1) = spans
    return x0, y0, x1, y1


def with_boxes(
    table: pd.DataFrame, maps: Maps, shapes: Sequence[tuple[int, int]], size: int, threshold: float
) -> pd.DataFrame:
    """Add to a predictions table of N images where a tumour is seen: ``map_peak, map_area, x0, y0, x1, y1``.

    Args:
        table: Predictions table.
        maps: Maps [N, h, w].
        shapes: Height and width of each original image, in whose pixels the boxes are, see `tumour_box`.
        size: Height and width of the images that the network saw, in pixels.
        threshold: Probability from which a pixel is marked.
    """
    records = []
    for cells, shape in zip(maps, shapes, strict=True):
        probability, box = enlarge(cells, size), tumour_box(cells, size, threshold, shape)
        record = {"map_peak": float(probability.max()), "map_area": float((probability >= threshold).mean())}
        records.append(record | dict(zip(BOX, box or (pd.NA,) * len(BOX), strict=True)))
    columns = pd.DataFrame(records, index=table.index, columns=["map_peak", "map_area", *BOX])
    return table.join(columns.astype(dict.fromkeys(BOX, "Int64")))


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
