"""The detector against independent references, and what must hold whatever it is fitted on."""

import numpy as np
import pytest
from safetensors.numpy import load, save
from scipy.special import logsumexp
from sklearn.covariance import LedoitWolf

from brain_tumor.errors import DataError
from brain_tumor.evaluation.ood.detector import OODDetector, energy
from brain_tumor.evaluation.ood.fit import fit_ood_detector, normal_of, rejected_shares

CLASSES = 3


def scans(count, width=20, seed=0):
    """Features and logits of three normal classes of one covariance, and groups of two scans each."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % CLASSES
    fixed = np.random.default_rng(99)
    mixing, means = fixed.normal(size=(width, width)) / np.sqrt(width), fixed.normal(size=(CLASSES, width))
    features = (means[labels] + rng.normal(size=(count, width)) @ mixing).astype(np.float32)
    logits = (4 * np.eye(CLASSES)[labels] + rng.normal(size=(count, CLASSES))).astype(np.float32)
    return features, logits, np.arange(count) // 2


def fit(count=300, width=20, reject_share=0.05):
    return fit_ood_detector(*scans(count, width), reject_share=reject_share)


def scikit_learns(features, asked):
    """Mahalanobis distance over √D with the covariance of features in their standard deviations, or the median one."""
    scale = np.maximum(features.std(axis=0), np.median(features.std(axis=0)))
    scaled, other = ((some - features.mean(axis=0)) / scale for some in (features, asked))
    squared = LedoitWolf(assume_centered=True).fit(scaled).mahalanobis(other)
    return np.sqrt(squared / features.shape[1])


class TestDistance:
    @pytest.mark.parametrize(("count", "width"), [(200, 20), (60, 90), (128, 128), (100, 1000)])
    def test_is_scikit_learns(self, count, width):
        """Where no more than 128 directions are known, nothing is left out."""
        features, asked = scans(count, width)[0], scans(50, width, seed=1)[0]

        assert normal_of(features).distance(asked) == pytest.approx(scikit_learns(features, asked), rel=1e-3)

    def test_of_wide_features_is_near_it(self):
        features = scans(900, 300)[0]
        asked = np.concatenate([scans(100, 300, seed=1)[0], scans(100, 300, seed=2)[0] * 1.5])
        normal = normal_of(features)

        assert normal.directions.shape == (300, 128)
        np.testing.assert_allclose(normal.directions.T @ normal.directions, np.eye(128), atol=1e-8)
        assert np.corrcoef(normal.distance(asked), scikit_learns(features, asked))[0, 1] > 0.9

    def test_does_not_change_with_the_units_of_features(self):
        features, asked = scans(200)[0], scans(50, seed=1)[0]
        shift = np.linspace(-5, 5, 20)

        moved = normal_of(7 * features + shift).distance(7 * asked + shift)

        assert moved == pytest.approx(normal_of(features).distance(asked), rel=1e-3)

    def test_of_channels_that_hardly_speak_is_not_what_rounding_makes_of_them(self):
        features, asked = scans(200)[0], scans(50, seed=1)[0]
        features[:, 0], asked[:, 0] = 0.5, 0.5
        rounded = asked.copy()
        rounded[:, 0] += 1e-3
        normal = normal_of(features)

        assert normal.distance(rounded) == pytest.approx(normal.distance(asked), rel=0.05)

    def test_of_features_that_never_change_is_finite(self):
        assert np.isfinite(normal_of(np.zeros((60, 8), np.float32)).distance(np.eye(8, dtype=np.float32))).all()


def test_energy_is_scipys():
    logits = np.random.default_rng(0).normal(0, 100, (20, 4)).astype(np.float32)
    assert energy(logits) == pytest.approx(-logsumexp(logits.astype(float), axis=1))


class TestGate:
    @pytest.mark.parametrize("share", [0.05, 0.2])
    @pytest.mark.parametrize("width", [20, 100])
    def test_turns_the_stated_share_of_new_scans_away(self, share, width):
        detector = fit(800, width, share).detector
        features, logits, _ = scans(4000, width, seed=5)

        found = (detector.ood_score(features, logits) > 0).mean()

        assert found == pytest.approx(share, abs=3 * np.sqrt(share * (1 - share) / 800))

    def test_of_its_own_scans_too_as_each_is_measured_without_its_group(self):
        fitted = fit(400, 100)
        features, logits, _ = scans(400, 100)

        own = fitted.detector.ood_score(features, logits)

        assert (fitted.ood_score > 0).mean() == pytest.approx(0.05, abs=0.005)
        assert (own > 0).mean() < (fitted.ood_score > 0).mean()

    def test_does_not_know_a_scans_own_group(self):
        """All scans of a group lie far from the others: whoever knew one of them would find the others usual."""
        features, logits, _ = scans(200, 20)
        groups = np.arange(200) // 10
        features += 3 * np.random.default_rng(1).normal(size=(20, 20)).astype(np.float32)[groups]

        within, alone = (
            fit_ood_detector(features, logits, g, reject_share=0.05).detector.usual for g in (groups, np.arange(200))
        )

        assert within[0, 0] > 1.2 * alone[0, 0]

    def test_turns_away_what_lies_far_and_what_no_class_is_named_for(self):
        detector = fit().detector
        features, logits, _ = scans(30, seed=1)

        assert (detector.ood_score(features + 20, logits) > 0).all()
        assert (detector.ood_score(features, logits - 30) > 0).all()
        assert (detector.ood_score(features, logits) > 0).mean() < 0.3

    def test_one_by_one_or_together(self):
        detector = fit().detector
        features, logits, _ = scans(12, seed=1)

        together = detector.ood_score(features, logits)

        alone = [detector.ood_score(features[row : row + 1], logits[row : row + 1])[0] for row in range(12)]
        assert together == pytest.approx(alone, rel=1e-12)

    def test_does_not_depend_on_the_order_of_classes_or_features(self):
        features, logits, groups = scans(300)
        other = fit_ood_detector(features[:, ::-1], logits[:, ::-1], groups, reject_share=0.05).detector
        asked, named, _ = scans(40, seed=1)

        found = other.ood_score(asked[:, ::-1], named[:, ::-1])

        assert found == pytest.approx(fit().detector.ood_score(asked, named), abs=1e-6)

    def test_same_seed_same_gate(self):
        assert fit().detector.to_bytes() == fit().detector.to_bytes()

    def test_is_small_however_wide_the_features(self):
        assert len(fit(200, 2048).detector.to_bytes()) < 1.2e6


class TestShares:
    def test_are_those_that_fitting_found(self):
        features, logits, groups = scans(400)
        fitted = fit_ood_detector(features, logits, groups, reject_share=0.05)

        before, after = rejected_shares(fitted.detector, groups, (features, logits), (features, logits))

        assert before == after == (fitted.ood_score > 0).mean()

    def test_rise_with_the_noise_of_another_engine(self):
        features, logits, groups = scans(400)
        detector = fit_ood_detector(features, logits, groups, reject_share=0.05).detector
        noise = np.random.default_rng(0).normal(size=features.shape)

        shares = [
            rejected_shares(detector, groups, (features, logits), (features + size * noise, logits))[1]
            for size in (0, 0.5, 3)
        ]

        assert shares[0] < shares[1] < shares[2]

    def test_of_too_few_are_refused(self):
        known = scans(20)
        with pytest.raises(DataError, match="20 validation images in 10 groups are too few"):
            rejected_shares(fit().detector, known[2], known[:2], known[:2])


class TestFile:
    def test_round_trip(self):
        detector = fit().detector
        features, logits, _ = scans(50, seed=1)

        again = OODDetector.from_bytes(detector.to_bytes())

        assert again.ood_score(features, logits) == pytest.approx(detector.ood_score(features, logits), abs=1e-4)
        assert (again.reject_share, again.images) == (0.05, 300)

    @pytest.mark.parametrize(
        ("change", "sentence"),
        [
            (lambda arrays: arrays.pop("centre"), "cannot be read: 'centre'"),
            (lambda arrays: arrays.update(images=np.array([np.inf])), "cannot be read"),
            (lambda arrays: arrays.update(limit=np.ones(3)), "cannot be read"),
            (lambda arrays: arrays.update(scale=arrays["scale"][:3]), "do not fit together"),
            (lambda arrays: arrays.update(directions=arrays["directions"].T.copy()[:3]), "do not fit together"),
            (lambda arrays: arrays.update(usual=arrays["usual"][:1]), "do not fit together"),
            (lambda arrays: arrays.update(variances=-arrays["variances"]), "make no sense"),
            (lambda arrays: arrays.update(rest=np.zeros(1)), "make no sense"),
            (lambda arrays: arrays.update(limit=np.array([np.nan])), "make no sense"),
        ],
    )
    def test_that_is_spoilt(self, change, sentence):
        arrays = load(fit().detector.to_bytes())
        change(arrays)

        with pytest.raises(ValueError, match=sentence):
            OODDetector.from_bytes(save(arrays))

    def test_that_is_none(self):
        with pytest.raises(ValueError, match="cannot be read"):
            OODDetector.from_bytes(b"no detector")


class TestTooSmall:
    @pytest.mark.parametrize("count", [0, 1, 3, 12, 39])
    def test_too_few_scans(self, count):
        sentence = rf"{count} validation images in {(count + 1) // 2} groups are too few .* 5\.0% .* takes 40 in 5\."
        with pytest.raises(DataError, match=sentence):
            fit(count)

    def test_a_smaller_share_takes_more(self):
        with pytest.raises(DataError, match="it takes 200 in 5"):
            fit(150, reject_share=0.01)

    def test_too_few_groups(self):
        features, logits, groups = scans(90)
        with pytest.raises(DataError, match="90 validation images in 4 groups are too few"):
            fit_ood_detector(features, logits, groups % 4, reject_share=0.05)

    def test_just_enough(self):
        assert fit(40).detector.images == 40
