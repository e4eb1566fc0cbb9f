"""Do maps point at the tumour? Against masks, with what chance and the middle of the image would earn beside it."""

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import distance_transform_edt

from brain_tumor.data.masks import head_mask
from brain_tumor.evaluation.metrics.bootstrap import group_weights
from brain_tumor.evaluation.predictions import Predictions
from brain_tumor.types import Flags, Floats, Rows

TOLERANCE = 15 / 224
"""How far from the mask a maximum still counts as a hit, as a share of the side: 15 pixels of 224 (Zhang 2018)."""


def recognised_tumours(predictions: Predictions) -> Rows:
    """Rows of images that are predicted as the tumour class they are: of these a map can be asked to be right."""
    right = predictions.predicted == predictions.labels
    return np.flatnonzero(right & (predictions.labels != predictions.healthy)).astype(np.int64)


def pointing(
    heats: npt.NDArray[np.float32],
    masks: Flags,
    images: npt.NDArray[np.uint8],
    groups: Rows,
    *,
    tolerance: float = TOLERANCE,
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Any]:
    """Pointing game and overlap of maps with masks; images whose mask is empty are left out.

    - ``pointing``: share of maps whose maximum lies within the tolerance of the mask (Zhang 2018, arXiv:1608.00507);
      ``pointing_exact``: inside it. A map that is the same everywhere misses.
    - ``iou``: intersection over union of the mask and as many of the map's highest pixels, as far as they are above 0.

    Beside each stand two baselines: ``chance``, a point drawn in the head, or as many pixels scattered there as the
    mask has; and ``centre``, the middle of the image, or a disc of the mask's area around it.

    Args:
        heats: float [N, S, S] from 0, of the evidence for the tumour's class.
        masks: bool [N, S, S].
        images: uint8 [N, S, S], which tell where the head is.
        groups: int64 [N], which intervals draw whole.
        tolerance: Share of the side.
        resamples: Of the bootstrap.
        seed: Of the bootstrap.

    Returns:
        Ready for JSON: ``images, groups, tolerance_px``, and each of the three as ``{"value", "ci_low", "ci_high",
        "chance", "centre"}``, means with 95 % percentile intervals by group, in [0, 1]; None where there are no images.
    """
    radius = tolerance * masks.shape[-1]
    kept = masks.any(axis=(1, 2))
    rows = [_compare(*three, radius) for three in zip(heats[kept], masks[kept], images[kept], strict=True)]
    document: dict[str, Any] = {
        "images": len(rows),
        "groups": len(np.unique(groups[kept])),
        "tolerance_px": round(radius, 1),
    }
    for name in ("pointing", "pointing_exact", "iou"):
        by_image = np.array([row[name] for row in rows], np.float64).reshape(-1, 3)
        document[name] = _summary(by_image, groups[kept], resamples, seed)
    return document


def _compare(
    heat: npt.NDArray[np.float32], mask: Flags, image: npt.NDArray[np.uint8], radius: float
) -> dict[str, tuple[float, float, float]]:
    """Each measure of the map, by chance, and of the middle."""
    middle = -_distance_from_centre(mask.shape)
    distance = np.asarray(distance_transform_edt(~mask))
    head = head_mask(image) | mask
    share = mask.sum() / head.sum()
    return {
        "pointing": (
            _hit(heat, distance, radius),
            float((distance[head] <= radius).mean()),
            _hit(middle, distance, radius),
        ),
        "pointing_exact": (_hit(heat, distance, 0), float(share), _hit(middle, distance, 0)),
        "iou": (_iou(heat, mask), float(share / (2 - share)), _iou(middle - middle.min(), mask)),
    }


def _hit(heat: npt.NDArray[np.floating], distance: npt.NDArray[Any], radius: float) -> float:
    peak = np.unravel_index(int(heat.argmax()), heat.shape)
    return float(heat.max() != heat.min() and distance[peak] <= radius)


def _iou(heat: npt.NDArray[np.floating], mask: Flags) -> float:
    highest = np.argsort(-heat, axis=None, kind="stable")[: int(mask.sum())]
    chosen = np.zeros(mask.size, np.bool_)
    chosen[highest] = heat.ravel()[highest] > 0
    both = chosen.reshape(mask.shape)
    return float((both & mask).sum() / (both | mask).sum())


def _distance_from_centre(shape: tuple[int, ...]) -> Floats:
    y, x = np.indices(shape)
    return np.asarray(np.hypot(y - (shape[0] - 1) / 2, x - (shape[1] - 1) / 2))


def _summary(by_image: Floats, groups: Rows, resamples: int, seed: int) -> dict[str, float | None]:
    names = ("value", "ci_low", "ci_high", "chance", "centre")
    if not len(by_image):
        return dict.fromkeys(names)
    value, chance, centre = by_image.mean(axis=0)
    dense = np.unique(groups, return_inverse=True)[1]
    drawn = [(weights @ by_image[:, 0]) / weights.sum(axis=1) for weights in group_weights(dense, resamples, seed)]
    low, high = np.quantile(np.concatenate(drawn), [0.025, 0.975])
    return dict(zip(names, map(float, (value, low, high, chance, centre)), strict=True))
