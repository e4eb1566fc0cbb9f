"""Pointing game: agreement of saliency maps with tumour masks, compared with chance and the centre of the image."""

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from scipy.ndimage import distance_transform_edt

from brain_tumor.data.masks import head_mask
from brain_tumor.evaluation.explain.saliency import SaliencyMaps
from brain_tumor.evaluation.localization import TOLERANCE
from brain_tumor.evaluation.metrics.bootstrap import group_weights
from brain_tumor.evaluation.predictions import Predictions
from brain_tumor.types import Flags, Floats, GreyImage, Rows

_BORDER = 0.03
"""Share of the height and width that counts as border."""


def correctly_classified_tumours(predictions: Predictions) -> Rows:
    """Return the row numbers of tumour images whose class is predicted correctly; only their maps are evaluated."""
    correct = predictions.predicted == predictions.labels
    return np.flatnonzero(correct & (predictions.labels != predictions.healthy)).astype(np.int64)


def evaluate_pointing(
    maps: SaliencyMaps,
    masks: Flags,
    images: GreyImage,
    groups: Rows,
    *,
    grid: tuple[int, int] | None = None,
    tolerance: float = TOLERANCE,
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Any]:
    """Compare maps with masks by the pointing game and overlap; images with an empty mask are left out.

    - ``pointing``: share of maps whose maximum lies within the tolerance of the mask (Zhang 2018, arXiv:1608.00507).
      A constant map misses.
    - ``pointing_exact``: share of maps whose maximum lies inside the mask.
    - ``iou``: intersection over union of the mask and the map's highest pixels, as many as the mask has, without
      pixels that are 0.

    All are compared with two baselines. ``chance`` draws a point in the head (pointing), or as many pixels in the head
    as the mask has (IoU). ``centre`` uses the centre of the image, or a disc of the mask's area around it.

    Args:
        maps: Saliency maps of the tumour classes, float [N, S, S], at least 0.
        masks: Tumour masks, bool [N, S, S].
        images: Images, uint8 [N, S, S], from which the head is segmented.
        groups: Group numbers int64 [N]; the bootstrap draws whole groups.
        grid: Cells of the maps before they were enlarged, (height, width); None if each pixel is one.
        tolerance: Largest distance of a hit, as a fraction of the image width.
        resamples: Number of bootstrap resamples.
        seed: Seed of the bootstrap.

    Returns:
        JSON document: ``images, groups, tolerance_px``; ``on_border``, the share of maps whose maximum lies within 3 %
        of the border; with a grid ``grid``, and ``ceiling``, the value of ``pointing`` of maps that have the share of
        the mask in each cell, which no map of that grid can be expected to exceed; and each of the three metrics as
        ``{"value", "ci_low", "ci_high", "chance", "centre"}``: means in [0, 1], higher is better, with 95 % percentile
        intervals by group; None if no image has a mask.
    """
    radius = tolerance * masks.shape[-1]
    kept = masks.any(axis=(1, 2))
    values = [_compare(*inputs, radius) for inputs in zip(maps[kept], masks[kept], images[kept], strict=True)]
    document: dict[str, Any] = {
        "images": len(values),
        "groups": len(np.unique(groups[kept])),
        "tolerance_px": round(radius, 1),
    }
    if values:
        document["on_border"] = float(np.mean([_peaks_on_border(one) for one in maps[kept]]))
    if values and grid is not None:
        perfect = [_hit(_perfect_map(mask, grid), distance_transform_edt(~mask), radius) for mask in masks[kept]]
        document |= {"grid": list(grid), "ceiling": float(np.mean(perfect))}
    for name in ("pointing", "pointing_exact", "iou"):
        by_image = np.array([value[name] for value in values], np.float64).reshape(-1, 3)
        document[name] = _summary(by_image, groups[kept], resamples, seed)
    return document


def _compare(
    saliency_map: npt.NDArray[np.float32], mask: Flags, image: GreyImage, radius: float
) -> dict[str, tuple[float, float, float]]:
    """Compute each metric of one image: for its map, by chance, and for the centre of the image."""
    centre = -_distance_from_centre(mask.shape)
    distance = np.asarray(distance_transform_edt(~mask))
    head = head_mask(image) | mask
    share = mask.sum() / head.sum()
    return {
        "pointing": (
            _hit(saliency_map, distance, radius),
            float((distance[head] <= radius).mean()),
            _hit(centre, distance, radius),
        ),
        "pointing_exact": (_hit(saliency_map, distance, 0), float(share), _hit(centre, distance, 0)),
        "iou": (_iou(saliency_map, mask), float(share / (2 - share)), _iou(centre - centre.min(), mask)),
    }


def _hit(saliency_map: npt.NDArray[np.floating], distance: npt.NDArray[Any], radius: float) -> float:
    peak = np.unravel_index(int(saliency_map.argmax()), saliency_map.shape)
    return float(saliency_map.max() != saliency_map.min() and distance[peak] <= radius)


def _perfect_map(mask: Flags, grid: tuple[int, int]) -> npt.NDArray[np.float32]:
    """Return the map with the share of the mask in each cell, enlarged as saliency maps are."""
    cells = cv2.resize(mask.astype(np.float32), grid[::-1], interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(cells, mask.shape[::-1], interpolation=cv2.INTER_LINEAR), np.float32)


def _peaks_on_border(saliency_map: npt.NDArray[np.floating]) -> bool:
    if saliency_map.max() == saliency_map.min():
        return False
    height, width = saliency_map.shape
    y, x = np.unravel_index(int(saliency_map.argmax()), saliency_map.shape)
    return bool(min(y, height - 1 - y) < _BORDER * height or min(x, width - 1 - x) < _BORDER * width)


def _iou(saliency_map: npt.NDArray[np.floating], mask: Flags) -> float:
    highest = np.argsort(-saliency_map, axis=None, kind="stable")[: int(mask.sum())]
    selected = np.zeros(mask.shape, np.bool_)
    selected.flat[highest] = saliency_map.ravel()[highest] > 0
    return float((selected & mask).sum() / (selected | mask).sum())


def _distance_from_centre(shape: tuple[int, ...]) -> Floats:
    y, x = np.indices(shape)
    return np.asarray(np.hypot(y - (shape[0] - 1) / 2, x - (shape[1] - 1) / 2))


def _summary(by_image: Floats, groups: Rows, resamples: int, seed: int) -> dict[str, float | None]:
    """Average the columns value, chance and centre of [N, 3], with an interval of the value."""
    names = ("value", "ci_low", "ci_high", "chance", "centre")
    if not len(by_image):
        return dict.fromkeys(names)
    value, chance, centre = by_image.mean(axis=0)
    dense = np.unique(groups, return_inverse=True)[1]
    means = [(weights @ by_image[:, 0]) / weights.sum(axis=1) for weights in group_weights(dense, resamples, seed)]
    low, high = np.quantile(np.concatenate(means), [0.025, 0.975])
    return dict(zip(names, map(float, (value, low, high, chance, centre)), strict=True))
