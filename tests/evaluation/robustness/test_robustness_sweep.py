import json

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score, roc_auc_score

from brain_tumor.evaluation.robustness import sweep
from brain_tumor.evaluation.robustness.corruptions import CORRUPTIONS
from brain_tumor.evaluation.robustness.figures import robustness_curves
from brain_tumor.evaluation.robustness.scoring import stratified
from brain_tumor.evaluation.robustness.sweep import robustness

CLASSES = ("glioma", "no_tumor")


@pytest.fixture(scope="module")
def images():
    """Bright squares are gliomas; the darkest of them are close to healthy."""
    rng = np.random.default_rng(0)
    grey = np.where(np.arange(60) % 3 > 0, rng.integers(120, 220, 60), rng.integers(20, 90, 60))
    squares = np.zeros((60, 32, 32), np.uint8)
    squares[:, 8:24, 8:24] = grey[:, None, None]
    return squares


LABELS = np.where(np.arange(60) % 3 > 0, 0, 1)


def by_brightness(squares):
    """A classifier that anyone can compute: the mean of the middle, against 105."""
    glioma = 1 / (1 + np.exp(-(squares[:, 8:24, 8:24].mean(axis=(1, 2)) - 105) / 10))
    return np.stack([glioma, 1 - glioma], axis=1)


@pytest.fixture(scope="module")
def document(images):
    return robustness(by_brightness, images, LABELS, CLASSES, np.arange(60) // 2, limit=None, resamples=50)


def test_scores_are_those_of_the_corrupted_pictures(document, images):
    name, severity = "brightness", 5
    worse = [sweep.corrupt(name, image, severity, sweep.draw_of(name, 0, n)) for n, image in enumerate(images)]
    p = by_brightness(np.stack(worse))

    told = document["corruptions"][name]["scores"]

    found = p.argmax(axis=1)
    assert told["f1_macro"][4] == pytest.approx(f1_score(LABELS, found, average="macro"))
    assert told["accuracy"][4] == pytest.approx(accuracy_score(LABELS, found))
    assert told["detection/auroc"][4] == pytest.approx(roc_auc_score(LABELS == 0, p[:, 0]))
    assert document["clean"] == {"f1_macro": 1.0, "accuracy": 1.0, "detection/auroc": 1.0}


def test_worst_and_mean_follow_from_the_curves(document):
    curves = {name: told["scores"]["f1_macro"] for name, told in document["corruptions"].items()}
    lowest = min(min(curve) for curve in curves.values())
    areas = [(1 / 2 + sum(curve[:4]) + curve[4] / 2) / 5 for curve in curves.values()]

    assert set(curves) == set(CORRUPTIONS)
    assert lowest < 0.9
    worst = document["worst"]
    assert worst["scores"]["f1_macro"] == lowest == curves[worst["corruption"]][worst["severity"] - 1]
    assert worst["change"]["f1_macro"]["value"] == pytest.approx(lowest - 1)
    assert worst["change"]["f1_macro"]["ci_low"] <= lowest - 1 <= worst["change"]["f1_macro"]["ci_high"] < 0
    assert document["mean_corruption_score"]["f1_macro"] == pytest.approx(np.mean(areas))
    for name, told in document["corruptions"].items():
        assert told["worst"]["scores"]["f1_macro"] == min(curves[name])


def test_it_is_plain_json_and_the_same_again(document, images):
    again = robustness(by_brightness, images, LABELS, CLASSES, np.arange(60) // 2, limit=None, resamples=50)

    assert json.loads(json.dumps(document)) | {"seconds": 0} == again | {"seconds": 0}
    assert (document["images"], document["of"]) == (60, 60)


def test_an_image_is_corrupted_alike_whichever_others_are_drawn(document, images):
    seen = {}

    def remember(squares):
        seen.update({image.tobytes(): True for image in squares})
        return by_brightness(squares)

    few = robustness(remember, images, LABELS, CLASSES, np.arange(60), limit=6, resamples=5, batch_size=4)
    of_few = set(seen)
    robustness(remember, images, LABELS, CLASSES, np.arange(60), limit=None, resamples=5)

    assert (few["images"], few["of"]) == (6, 60)
    assert of_few == set(seen) & of_few
    assert len(of_few) > 6 * 40


def test_without_a_healthy_class_or_with_one_class_alone_nothing_breaks(images):
    document = robustness(
        by_brightness, images[:8], np.zeros(8, int), ("a", "b"), np.arange(8), limit=None, resamples=5
    )
    alone = robustness(by_brightness, images[:8], np.zeros(8, int), CLASSES, np.arange(8), limit=None, resamples=5)

    assert set(document["clean"]) == {"f1_macro", "accuracy"}
    assert alone["clean"]["detection/auroc"] is None
    assert alone["mean_corruption_score"]["detection/auroc"] is None
    assert alone["worst"]["change"]["detection/auroc"] == {"value": None, "ci_low": None, "ci_high": None}
    assert len(robustness_curves(document).axes) == len(robustness_curves(alone).axes)


def test_curves_mark_the_worst_in_its_own_panel(document):
    figure = robustness_curves(document)

    worst = document["worst"]
    by_title = {axes.get_title(): axes for axes in figure.axes}
    assert set(by_title) - {""} == set(CORRUPTIONS)
    rings = {title: [line for line in axes.lines if line.get_markersize() > 10] for title, axes in by_title.items()}
    [ring] = rings.pop(worst["corruption"])
    assert (ring.get_xdata()[0], ring.get_ydata()[0]) == (worst["severity"], worst["scores"]["f1_macro"])
    assert not any(rings.values())
    curve = by_title["JPEG"].lines[1].get_ydata()
    assert list(curve) == [1.0, *document["corruptions"]["JPEG"]["scores"]["f1_macro"]]
    assert f"n = {document['images']}" in by_title[""].texts[0].get_text()


def test_a_stratified_draw_keeps_shares_and_loses_no_class():
    labels = np.repeat([0, 1, 2], [600, 397, 3])

    rows = stratified(labels, 50, seed=1)

    np.testing.assert_array_equal(rows, np.unique(rows))
    assert len(rows) == 50
    counts = np.bincount(labels[rows])
    assert counts[2] == 1
    assert counts[0] == pytest.approx(30, abs=1)
    assert set(rows) < set(stratified(labels, 80, seed=1))
    np.testing.assert_array_equal(stratified(labels, 1000), np.arange(1000))
    assert (stratified(labels, 50, seed=2) != rows).any()
