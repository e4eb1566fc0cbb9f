"""Figures of a detector against scikit-learn, hand-made cases, and what must hold for all scores."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score, roc_curve

from brain_tumor.evaluation.ood.detector_metrics import (
    ALL,
    evaluate_detector,
    fpr95,
    missed_shares,
    ood_figure,
    rejected_share,
)
from brain_tumor.evaluation.predictions import ood_scores_of, with_ood_scores

scores = st.lists(st.integers(-20, 20).map(float), min_size=2, max_size=40).map(np.array)


def alone(values):
    return np.arange(len(values))


def test_missed_shares_count_the_limit_as_accepted():
    found = missed_shares({"a": np.array([-1.0, 0.0, 1.0, 2.0]), "b": np.ones(3)}, resamples=20)

    assert {name: (share["value"], share["n"]) for name, share in found.items()} == {"a": (0.5, 4), "b": (0.0, 3)}
    assert found["b"]["ci_high"] == pytest.approx(1 - 0.025 ** (1 / 3))


class TestFigures:
    @settings(max_examples=25, deadline=None)
    @given(scans=scores, foreign=scores)
    def test_are_scikit_learns(self, scans, foreign):
        found = evaluate_detector(scans, alone(scans), {"a": foreign}, resamples=5)["sets"]["a"]

        truth = np.repeat([0, 1], [len(scans), len(foreign)])
        assert found["auroc"]["value"] == pytest.approx(roc_auc_score(truth, np.concatenate([scans, foreign])))
        # scans as the positive class, as in the definition: FPR at the first threshold with a TPR of 95 %
        fpr, tpr, _ = roc_curve(1 - truth, -np.concatenate([scans, foreign]), drop_intermediate=False)
        assert found["fpr95"]["value"] == pytest.approx(fpr[np.argmax(tpr >= 0.95 - 1e-9)])
        assert found["missed"]["value"] == pytest.approx(np.mean(foreign <= 0))

    def test_of_perfect_and_of_no_separation(self):
        scans, same = np.linspace(-2, -1, 50), np.linspace(-2, -1, 50)
        found = evaluate_detector(scans, alone(scans), {"far": scans + 5, "same": same}, resamples=20)["sets"]

        assert found["far"]["auroc"]["value"] == found["far"]["auroc"]["ci_high"] == 1
        assert 0.9 < found["far"]["auroc"]["ci_low"] < 1  # 50 of each cannot prove more
        assert found["far"]["fpr95"]["value"] == found["far"]["missed"]["value"] == 0
        assert found["same"]["auroc"]["value"] == pytest.approx(0.5)
        assert found["same"]["fpr95"]["value"] == pytest.approx(0.96)  # 48 of 50 are the first share from 95 %

    def test_where_none_passes_the_interval_is_clopper_and_pearsons(self):
        scans = -np.arange(1.0, 31)
        found = evaluate_detector(scans, alone(scans), {"a": np.ones(20)}, resamples=20)["sets"]["a"]

        assert found["missed"] == {
            "value": 0,
            "ci_low": 0,
            "ci_high": pytest.approx(1 - 0.025 ** (1 / 20)),
            "n": 20,
        }

    def test_all_sets_together(self):
        scans = np.array([-1.0, -2, -3])
        found = evaluate_detector(scans, alone(scans), {"a": np.array([1.0, -5]), "b": np.array([2.0])}, resamples=5)

        assert found["sets"][ALL]["missed"]["n"] == 3
        assert found["sets"][ALL]["missed"]["value"] == pytest.approx(1 / 3)
        json.dumps(found, allow_nan=False)

    def test_weights_stand_for_copies(self):
        rng = np.random.default_rng(0)
        scans, foreign = rng.normal(size=30), rng.normal(1, 1, 20)
        copies, more = rng.integers(0, 4, 30), rng.integers(0, 4, 20)

        weighted = fpr95(scans, foreign, np.concatenate([copies, more])[None].astype(float))

        plain = fpr95(np.repeat(scans, copies), np.repeat(foreign, more), np.ones((1, copies.sum() + more.sum())))
        assert weighted == pytest.approx(plain)


class TestScansTurnedAway:
    def test_share_and_numbers(self):
        found = rejected_share(np.array([-1.0, 1, -1, -1]), np.array([0, 1, 2, 2]), resamples=50)

        assert (found["n"], found["value"]) == (4, 0.25)
        assert found["ci_low"] <= 0.25 <= found["ci_high"]

    def test_groups_widen_the_interval(self):
        rng = np.random.default_rng(0)
        by_group = np.repeat(rng.random(40) < 0.3, 10) * 2.0 - 1
        grouped, naive = (rejected_share(by_group, groups) for groups in (np.repeat(np.arange(40), 10), np.arange(400)))

        assert grouped["ci_high"] - grouped["ci_low"] > 2 * (naive["ci_high"] - naive["ci_low"])


class TestColumns:
    def test_are_read_back_as_they_were_written(self, tmp_path):
        table = with_ood_scores(pd.DataFrame({"sample_id": ["a", "b"]}), np.array([0.1 + 0.2, -1.0]))
        table.to_csv(tmp_path / "t.csv", index=False)

        assert table["rejected"].tolist() == [True, False]
        np.testing.assert_array_equal(ood_scores_of(pd.read_csv(tmp_path / "t.csv", dtype=str)), [0.1 + 0.2, -1.0])

    def test_are_empty_without_a_gate(self, tmp_path):
        table = with_ood_scores(pd.DataFrame({"sample_id": ["a"]}), None)
        table.to_csv(tmp_path / "t.csv", index=False)

        assert (tmp_path / "t.csv").read_text().splitlines() == ["sample_id,rejected,ood_score", "a,,"]
        assert ood_scores_of(table) is None
        assert ood_scores_of(pd.DataFrame({"sample_id": ["a"]})) is None


def test_figure_names_each_set_and_what_is_turned_away(tmp_path):
    rng = np.random.default_rng(0)
    figure = ood_figure(rng.normal(-2, 1, 100), {"photos": rng.normal(8, 2, 40), "blank": np.array([-1.0, 3, 3, 3])})
    figure.savefig(tmp_path / "ood.png")

    axes = figure.axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == [
        "scans (n = 100)", "photos (n = 40)", "blank (n = 4)",
    ]  # fmt: skip
    assert "75.0%" in [text.get_text() for text in axes.texts]
