import json

import numpy as np
import pytest

from brain_tumor.evaluation.robustness import scoring
from brain_tumor.evaluation.robustness.scoring import RobustnessTest
from brain_tumor.evaluation.robustness.tta import VIEWS, augmented, view

CLASSES = ("glioma", "no_tumor")
LABELS = np.arange(40) % 2


def dots(columns):
    """A bright dot in each image, in the given column."""
    images = np.zeros((len(columns), 32, 32), np.uint8)
    for image, column in zip(images, columns, strict=True):
        image[15:18, column - 1 : column + 2] = 240
    return images


def left_or_right(images):
    """Glioma if the left half is brighter: a classifier that mirroring turns round."""
    left = images[:, :, :16].mean(axis=(1, 2)) - images[:, :, 16:].mean(axis=(1, 2))
    p = np.where(left > 0, 0.9, 0.2)
    return np.stack([p, 1 - p], axis=1)


def run(images, classify=left_or_right, **options):
    return augmented(RobustnessTest(classify, images, LABELS, CLASSES, np.arange(40), **options))


def test_a_constant_classifier_is_changed_by_nothing():
    images = np.random.default_rng(0).integers(0, 256, (40, 32, 32), np.uint8)

    document = run(images, lambda images: np.tile([0.7, 0.3], (len(images), 1)), resamples=20)

    assert document["before"] == document["after"]
    assert document["change"]["accuracy"] == {"value": 0, "ci_low": 0, "ci_high": 0}
    assert document["unstable"] == {"share": 0, "accuracy": None, "accuracy_of_the_stable": 0.5}


def test_after_is_the_mean_over_views_and_disagreement_is_counted(monkeypatch):
    images = dots([6 if label == 0 else 26 for label in LABELS])
    monkeypatch.setattr(scoring, "CHUNK", 7)

    document = run(images, resamples=20)

    mean = np.mean([left_or_right(np.stack([view(name, image) for image in images])) for name in VIEWS], axis=0)
    assert document["before"]["accuracy"] == 1
    assert document["after"]["accuracy"] == (mean.argmax(axis=1) == LABELS).mean()
    assert document["unstable"] == {"share": 1, "accuracy": 1, "accuracy_of_the_stable": None}
    assert json.loads(json.dumps(document)) == document


def test_a_limit_is_said():
    document = run(dots([6] * 40), limit=10, resamples=5)

    assert (document["images"], document["of"]) == (10, 40)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("as it is", (8, 8)),
        ("mirrored left–right", (8, 55)),
        ("shifted right and down by 3 %", (10, 10)),
        ("shifted left and up by 3 %", (6, 6)),
    ],
)
def test_views_move_a_dot_where_they_say(name, expected):
    image = np.zeros((64, 64), np.uint8)
    image[8, 8] = 255

    moved = view(name, image)

    assert np.unravel_index(moved.argmax(), moved.shape) == expected


def test_turns_are_opposite_and_about_the_centre():
    image = np.zeros((65, 65), np.uint8)
    image[32, 4:61] = 255

    one, other = (view(f"turned by {sign}6°", image).astype(int) for sign in ("", "−"))

    assert one[32, 32] == other[32, 32] == 255
    assert np.abs(one - other[::-1]).max() <= 8
    assert (one != other).any()
    assert one[:, 56].argmax() == pytest.approx(32 - 24 * np.sin(np.deg2rad(6)), abs=1)
