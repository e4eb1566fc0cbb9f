"""Test-time augmentation: the mean answer over views of an image, and whether the views agree."""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from brain_tumor.data.images import Images
from brain_tumor.data.progress import progress
from brain_tumor.evaluation.robustness.scoring import Classify, difference, scores, stratified
from brain_tumor.types import Floats, Rows

VIEWS = {
    "as it is": (False, 0.0, 0.0, 0.0),
    "mirrored left–right": (True, 0.0, 0.0, 0.0),
    "turned by 6°": (False, 6.0, 0.0, 0.0),
    "turned by −6°": (False, -6.0, 0.0, 0.0),
    "shifted right and down by 3 %": (False, 0.0, 0.03, 0.03),
    "shifted left and up by 3 %": (False, 0.0, -0.03, -0.03),
}
"""Name → (mirrored, degrees, shift right and down as shares of the side). None is upside down: no head is."""


def view(squares: npt.NDArray[np.uint8], name: str) -> npt.NDArray[np.uint8]:
    """One of `VIEWS` of images uint8 [B, S, S]; what comes in from outside is black."""
    mirrored, degrees, right, down = VIEWS[name]
    seen = np.ascontiguousarray(squares[..., ::-1] if mirrored else squares)
    if not (degrees or right or down):
        return seen
    side = squares.shape[-1]
    matrix = cv2.getRotationMatrix2D(((side - 1) / 2, (side - 1) / 2), degrees, 1)
    matrix[:, 2] += (right * side, down * side)
    return np.stack([cv2.warpAffine(square, matrix, (side, side), flags=cv2.INTER_LINEAR) for square in seen])


def view_probabilities(classify: Classify, squares: npt.NDArray[np.uint8]) -> Floats:
    """Probabilities of all `VIEWS` of images uint8 [B, S, S]: float64 [views, B, C], those as they are first."""
    return np.stack([classify(view(squares, name)) for name in VIEWS])


def augmented(
    classify: Classify,
    images: Images,
    labels: Rows,
    classes: Sequence[str],
    groups: Rows,
    *,
    limit: int | None = 1000,
    seed: int = 0,
    resamples: int = 1000,
    batch_size: int = 64,
) -> dict[str, Any]:
    """Scores of the mean over views beside those of the images alone; six classifications an image.

    An image is unstable if its most probable class is not the same in all views. If the unstable ones are much more
    often wrong than the others, disagreement says when not to trust an answer.

    Args:
        classify: Grey squares → probabilities.
        images: uint8 [N, S, S], read a batch at a time.
        labels: int64 [N].
        classes: C names.
        groups: int64 [N], which intervals draw whole.
        limit: Images at most, drawn by class; None takes all.
        seed: Of the draw and the bootstrap.
        resamples: Of the bootstrap.
        batch_size: Images classified at once.

    Returns:
        Ready for JSON: ``images, of, views, before {metric: value}, after {metric: value}, change {metric: {value,
        ci_low, ci_high}}, unstable {"share", "accuracy", "accuracy_of_the_stable"}`` (before averaging).
    """
    rows = stratified(labels, limit, seed)
    parts = [rows[first : first + batch_size] for first in range(0, len(rows), batch_size)]
    by_view = np.concatenate(
        [view_probabilities(classify, images[part]) for part in progress(parts, "Looking from several sides")],
        axis=1,
    )
    truth, before, after = labels[rows], by_view[0], by_view.mean(axis=0)
    found = by_view.argmax(axis=2)
    unstable = (found != found[0]).any(axis=0)
    right = found[0] == truth
    return {
        "images": len(rows),
        "of": len(labels),
        "views": list(VIEWS),
        "before": scores(truth, before, classes),
        "after": scores(truth, after, classes),
        "change": difference(truth, before, after, classes, groups[rows], resamples=resamples, seed=seed),
        "unstable": {
            "share": float(unstable.mean()),
            "accuracy": _mean(right[unstable]),
            "accuracy_of_the_stable": _mean(right[~unstable]),
        },
    }


def _mean(right: npt.NDArray[np.bool_]) -> float | None:
    return float(right.mean()) if len(right) else None
