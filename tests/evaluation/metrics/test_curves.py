import numpy as np
import pytest
from factories import predictions
from sklearn.metrics import roc_auc_score

from brain_tumor.evaluation.explain.gallery import most_confident_errors
from brain_tumor.evaluation.metrics.curves import one_vs_rest, points_table, pr_points, reliability_points, roc_points
from brain_tumor.evaluation.metrics.probability import ece
from brain_tumor.evaluation.report import plots as figures


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 4, 600)
    return predictions(labels, rng.dirichlet(np.ones(4), 600) * 0.6 + 0.4 * np.eye(4)[labels])


def test_reliability_points_give_the_ece(table):
    points = reliability_points(table)

    share = points["images"] / len(table.labels)
    assert points["images"].sum() == 600
    assert (share * (points["accuracy"] - points["confidence"]).abs()).sum() == pytest.approx(
        float(ece(table.labels, table.probabilities, np.ones((1, 600)))[0])
    )
    _, text = figures.reliability(table).axes[0].get_legend().get_texts()
    error = (share * (points["accuracy"] - points["confidence"]).abs()).sum()
    assert text.get_text() == f"as trained: ECE {error:.3f}"


def test_thinned_curves_keep_their_area_and_ends(table):
    points = points_table(table, roc_points, limit=100)

    assert set(points["class"]) == {problem.name for problem in one_vs_rest(table)}
    for problem in one_vs_rest(table):
        curve = points[points["class"] == problem.name]
        assert len(curve) <= 100
        assert curve[["x", "y"]].iloc[[0, -1]].to_numpy().tolist() == [[0, 0], [1, 1]]
        assert np.trapezoid(curve["y"], curve["x"]) == pytest.approx(
            roc_auc_score(problem.positive, problem.score), abs=0.01
        )


def test_classes_without_images_do_not_shift_others():
    table = predictions(np.array([0, 2, 0, 2]), np.eye(4)[[0, 2, 2, 2]])

    assert set(points_table(table, pr_points)["class"]) == {"glioma", "no_tumor", "any tumour"}


def test_most_confident_errors_come_first(table):
    errors = most_confident_errors(table, limit=5)

    predicted = table.probabilities.argmax(axis=1)
    confidence = np.where(predicted != table.labels, table.probabilities.max(axis=1), 0)
    assert errors["probability"].tolist() == sorted(confidence, reverse=True)[:5]
    assert (errors["label"] != errors["prediction"]).all()
    assert most_confident_errors(predictions(np.array([0, 1]), np.eye(2), names=("a", "b"))).empty
