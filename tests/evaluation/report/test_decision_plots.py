import numpy as np
import pandas as pd
import pytest
from factories import detection

from brain_tumor.evaluation.decisions.net_benefit import decision_curve
from brain_tumor.evaluation.report import plots
from brain_tumor.evaluation.subgroups import evaluate_subgroups


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    tumour = rng.random(60) < 0.5
    return detection(np.clip(rng.normal(0.3 + 0.4 * tumour, 0.2), 0.01, 0.99), tumour)


def legend(figure):
    return [text.get_text() for text in figure.axes[0].get_legend().get_texts()]


def test_decision_curve_shows_all_three_policies(table):
    points = decision_curve(table, 0.1, resamples=20).to_dict("records")

    figure = plots.decision_curve({"prevalence": 0.1, "points": points})

    assert legend(figure) == ["treat none", "treat all", "treat by the model (band: 95 %)"]
    assert "10 %" in figure.axes[0].get_title()


def test_decision_curve_of_one_side_alone():
    points = decision_curve(detection([0.4, 0.6], [1, 1]), 0.1, resamples=5).to_dict("records")

    figure = plots.decision_curve({"prevalence": 0.1, "points": points})

    assert figure.axes[0].get_ylim()[0] < 0


def test_risk_curve_marks_where_the_model_abstains(table):
    confidence = table.probabilities.max(axis=1)

    shown = legend(plots.risk_coverage_curve(table, float(np.quantile(confidence, 0.25))))

    assert shown[1].endswith("answers 75 %")


def test_subgroups_name_their_size(table):
    found = evaluate_subgroups(table, pd.DataFrame({"plane": ["axial", "coronal"] * 30}), resamples=20)

    labels = [label.get_text() for label in plots.subgroup_accuracy(found).axes[0].get_yticklabels()]

    assert labels == ["plane: axial (n = 30)", "plane: coronal (n = 30)"]
