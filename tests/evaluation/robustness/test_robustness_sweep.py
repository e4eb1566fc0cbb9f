import json

import numpy as np
import pytest
from factories import random_predictions
from sklearn.metrics import accuracy_score, f1_score, roc_auc_score

from brain_tumor.evaluation.metrics.bootstrap import group_weights
from brain_tumor.evaluation.robustness import scoring
from brain_tumor.evaluation.robustness.corruptions import CORRUPTIONS, corrupt, draw_of
from brain_tumor.evaluation.robustness.figures import robustness_curves
from brain_tumor.evaluation.robustness.scoring import RobustnessTest, difference, stratified
from brain_tumor.evaluation.robustness.sweep import robustness

CLASSES = ("glioma", "no_tumor")


@pytest.fixture(scope="module")
def images():
    """Images of a bright middle are gliomas; the darkest of them are close to healthy."""
    rng = np.random.default_rng(0)
    grey = np.where(np.arange(60) % 3 > 0, rng.integers(120, 220, 60), rng.integers(20, 90, 60))
    images = np.zeros((60, 32, 32), np.uint8)
    images[:, 8:24, 8:24] = grey[:, None, None]
    return images


LABELS = np.where(np.arange(60) % 3 > 0, 0, 1)


def by_brightness(images):
    """A classifier that anyone can compute: the mean of the middle, against 105."""
    glioma = 1 / (1 + np.exp(-(images[:, 8:24, 8:24].mean(axis=(1, 2)) - 105) / 10))
    return np.stack([glioma, 1 - glioma], axis=1)


def run(images, labels=LABELS, classes=CLASSES, classify=by_brightness, groups=None, **options):
    groups = np.arange(len(images)) if groups is None else groups
    return robustness(RobustnessTest(classify, images, labels, classes, groups, **{"limit": None, **options}))


@pytest.fixture(scope="module")
def document(images):
    return run(images, groups=np.arange(60) // 2, resamples=50)


def test_scores_are_those_of_the_corrupted_images(document, images):
    name, severity = "brightness", 5
    worse = [corrupt(name, image, severity, draw_of(name, 0, n)) for n, image in enumerate(images)]
    p = by_brightness(np.stack(worse))

    scores = document["corruptions"][name]["scores"]

    predicted = p.argmax(axis=1)
    assert scores["f1_macro"][4] == pytest.approx(f1_score(LABELS, predicted, average="macro"))
    assert scores["accuracy"][4] == pytest.approx(accuracy_score(LABELS, predicted))
    assert scores["detection/auroc"][4] == pytest.approx(roc_auc_score(LABELS == 0, p[:, 0]))
    assert document["clean"] == {"f1_macro": 1.0, "accuracy": 1.0, "detection/auroc": 1.0}


def test_worst_and_mean_follow_from_the_curves(document):
    curves = {name: curve["scores"]["f1_macro"] for name, curve in document["corruptions"].items()}
    lowest = min(min(curve) for curve in curves.values())
    areas = [(1 / 2 + sum(curve[:4]) + curve[4] / 2) / 5 for curve in curves.values()]

    assert set(curves) == set(CORRUPTIONS)
    assert lowest < 0.9
    worst = document["worst"]
    assert worst["scores"]["f1_macro"] == lowest == curves[worst["corruption"]][worst["severity"] - 1]
    assert worst["change"]["f1_macro"]["value"] == pytest.approx(lowest - 1)
    assert worst["change"]["f1_macro"]["ci_low"] <= lowest - 1 <= worst["change"]["f1_macro"]["ci_high"] < 0
    assert document["mean_corruption_score"]["f1_macro"] == pytest.approx(np.mean(areas))
    for name, curve in document["corruptions"].items():
        assert curve["worst"]["scores"]["f1_macro"] == min(curves[name])


def test_it_is_plain_json_and_the_same_again(document, images):
    again = run(images, groups=np.arange(60) // 2, resamples=50)

    assert json.loads(json.dumps(document)) | {"seconds": 0} == again | {"seconds": 0}
    assert (document["images"], document["of"]) == (60, 60)


def test_an_image_is_corrupted_alike_whichever_others_are_drawn(images, monkeypatch):
    classified = set()

    def remember(batch):
        classified.update(image.tobytes() for image in batch)
        return by_brightness(batch)

    run(images, classify=remember, resamples=5)
    of_all = set(classified)
    classified.clear()
    monkeypatch.setattr(scoring, "CHUNK", 4)
    few = run(images, classify=remember, limit=6, resamples=5)

    assert (few["images"], few["of"]) == (6, 60)
    assert classified <= of_all
    assert len(classified) > 6 * 40


def test_each_image_is_read_once_a_chunk_at_a_time(images, document, monkeypatch):
    reads = []

    class Stored:
        def __len__(self):
            return len(images)

        def __getitem__(self, rows):
            reads.append(rows)
            return images[rows]

    monkeypatch.setattr(scoring, "CHUNK", 7)
    again = run(Stored(), groups=np.arange(60) // 2, resamples=50)

    assert max(map(len, reads)) == 7
    np.testing.assert_array_equal(np.concatenate(reads), np.arange(60))
    assert again | {"seconds": 0} == document | {"seconds": 0}


def test_without_a_healthy_class_or_with_one_class_alone_nothing_breaks(images):
    document = run(images[:8], np.zeros(8, int), ("a", "b"), resamples=5)
    alone = run(images[:8], np.zeros(8, int), resamples=5)

    assert set(document["clean"]) == {"f1_macro", "accuracy"}
    assert alone["clean"]["detection/auroc"] is None
    assert alone["mean_corruption_score"]["detection/auroc"] is None
    assert alone["worst"]["change"]["detection/auroc"] == {"value": None, "ci_low": None, "ci_high": None}
    assert len(robustness_curves(document).axes) == len(robustness_curves(alone).axes)


def test_a_difference_pairs_the_images_of_each_resample():
    rng = np.random.default_rng(0)
    before = random_predictions(40, 0)
    noise = rng.dirichlet(np.ones(3), 40)
    after = before.with_probabilities((before.probabilities + noise) / 2)

    change = difference(before, after, resamples=200, seed=3)

    weights = np.concatenate(list(group_weights(before.groups, 200, 3))).astype(int)
    one_by_one = []
    for times in weights:
        rows = np.repeat(np.arange(40), times)
        f1 = [
            f1_score(before.labels[rows], table.predicted[rows], average="macro", labels=[0, 1, 2], zero_division=0)
            for table in (before, after)
        ]
        one_by_one.append(f1[1] - f1[0])
    assert change["f1_macro"]["ci_low"] == pytest.approx(np.quantile(one_by_one, 0.025))
    assert change["f1_macro"]["ci_high"] == pytest.approx(np.quantile(one_by_one, 0.975))


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
