"""Test-time augmentation: the mean prediction over views of an image, and whether the views agree."""

from functools import partial
from typing import Any

import cv2
import numpy as np

from brain_tumor.evaluation.robustness.scoring import RobustnessTest, difference, scores
from brain_tumor.types import Flags, GreyImage

VIEWS = {
    "as it is": (False, 0.0, 0.0, 0.0),
    "mirrored left–right": (True, 0.0, 0.0, 0.0),
    "turned by 6°": (False, 6.0, 0.0, 0.0),
    "turned by −6°": (False, -6.0, 0.0, 0.0),
    "shifted right and down by 3 %": (False, 0.0, 0.03, 0.03),
    "shifted left and up by 3 %": (False, 0.0, -0.03, -0.03),
}
"""Name → (mirrored, degrees, shift right and down as shares of the side). No view is upside down, as no scan is."""


def view(name: str, image: GreyImage, _: int = 0) -> GreyImage:
    """Return one of `VIEWS` of an image uint8 [S, S]; pixels from beyond its border are black."""
    mirrored, degrees, right, down = VIEWS[name]
    flipped = np.ascontiguousarray(image[:, ::-1] if mirrored else image)
    if not (degrees or right or down):
        return flipped
    side = image.shape[-1]
    matrix = cv2.getRotationMatrix2D(((side - 1) / 2, (side - 1) / 2), degrees, 1)
    matrix[:, 2] += (right * side, down * side)
    return np.asarray(cv2.warpAffine(flipped, matrix, (side, side), flags=cv2.INTER_LINEAR), np.uint8)


def augmented(test: RobustnessTest) -> dict[str, Any]:
    """Score the mean over views beside the images alone; six classifications per image.

    An image is unstable if its most probable class is not the same in all views. If unstable images are much more often
    misclassified than the others, disagreement says when not to trust a prediction.

    Returns:
        Ready for JSON: ``images, of, views, before {metric: value}, after {metric: value}, change {metric: {value,
        ci_low, ci_high}}, unstable {"share", "accuracy", "accuracy_of_the_stable"}`` (before averaging).
    """
    by_view = test.probabilities([partial(view, name) for name in VIEWS], "Classifying views of images")
    before, after = test.predictions(by_view[0]), test.predictions(by_view.mean(axis=0))
    predicted = by_view.argmax(axis=2)
    unstable = (predicted != predicted[0]).any(axis=0)
    correct = predicted[0] == before.labels
    return {
        "images": len(test.rows),
        "of": len(test.labels),
        "views": list(VIEWS),
        "before": scores(before),
        "after": scores(after),
        "change": difference(before, after, resamples=test.resamples, seed=test.seed),
        "unstable": {
            "share": float(unstable.mean()),
            "accuracy": _mean(correct[unstable]),
            "accuracy_of_the_stable": _mean(correct[~unstable]),
        },
    }


def _mean(correct: Flags) -> float | None:
    return float(correct.mean()) if len(correct) else None
