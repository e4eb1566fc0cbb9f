import numpy as np
import pytest
from factories import detection

from brain_tumor.evaluation.decisions.net_benefit import THRESHOLDS, decision_curve


def test_net_benefit_by_hand():
    """At 0.5: sensitivity 2/3, one of two healthy images is a false positive, prevalence 0.5."""
    curve = decision_curve(detection([0.9, 0.9, 0.1, 0.8, 0.2], [1, 1, 1, 0, 0]), 0.5, resamples=50)

    row = curve[curve["threshold"] == 0.5].iloc[0]
    assert row["model"] == pytest.approx(0.5 * 2 / 3 - 0.5 * 0.5 * 1)
    assert row["treat_all"] == pytest.approx(0)
    assert curve["threshold"].tolist() == THRESHOLDS.tolist()


def test_equals_the_textbook_formula_at_the_prevalence_of_the_data():
    rng = np.random.default_rng(0)
    tumour = rng.random(300) < 0.3
    score = np.clip(rng.normal(0.3 + 0.4 * tumour, 0.2), 0, 1)

    curve = decision_curve(detection(score, tumour), tumour.mean(), resamples=50)

    for row in curve.itertuples():
        positive = score >= row.threshold
        true, false = (positive & tumour).sum(), (positive & ~tumour).sum()
        assert row.model == pytest.approx(true / 300 - false / 300 * row.threshold / (1 - row.threshold))
        assert row.ci_low <= row.model <= row.ci_high or row.model == pytest.approx(row.ci_high)


def test_net_benefit_of_a_perfect_model_is_the_prevalence():
    curve = decision_curve(detection([1.0, 1.0, 0.0], [1, 1, 0]), 0.2, resamples=20)

    np.testing.assert_allclose(curve["model"], 0.2)
