"""The OOD detector against independent references, and properties of every fit."""

import numpy as np
import pytest
from safetensors.numpy import load, save
from scipy.special import logsumexp
from sklearn.covariance import LedoitWolf
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from brain_tumor.errors import DataError
from brain_tumor.evaluation.ood.detector import OODDetector, energy
from brain_tumor.evaluation.ood.fit import fit_direction, fit_normal, fit_ood_detector, rejected_shares

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


def reference_distance(features, queries):
    """Mahalanobis distance over √D, of features divided by their standard deviations or the median of these."""
    scale = np.maximum(features.std(axis=0), np.median(features.std(axis=0)))
    scaled, other = ((values - features.mean(axis=0)) / scale for values in (features, queries))
    squared = LedoitWolf(assume_centered=True).fit(scaled).mahalanobis(other)
    return np.sqrt(squared / features.shape[1])


@pytest.mark.slow
class TestDistance:
    @pytest.mark.parametrize(("count", "width"), [(200, 20), (60, 90), (128, 128), (100, 1000)])
    def test_equals_scikit_learn(self, count, width):
        """With at most 128 principal directions the covariance is complete."""
        features, queries = scans(count, width)[0], scans(50, width, seed=1)[0]

        assert fit_normal(features).distance(queries) == pytest.approx(reference_distance(features, queries), rel=1e-3)

    def test_of_wide_features_is_close_to_scikit_learn(self):
        features = scans(900, 300)[0]
        queries = np.concatenate([scans(100, 300, seed=1)[0], scans(100, 300, seed=2)[0] * 1.5])
        normal = fit_normal(features)

        assert normal.directions.shape == (300, 128)
        np.testing.assert_allclose(normal.directions.T @ normal.directions, np.eye(128), atol=1e-8)
        assert np.corrcoef(normal.distance(queries), reference_distance(features, queries))[0, 1] > 0.9

    def test_does_not_depend_on_the_units_of_features(self):
        features, queries = scans(200)[0], scans(50, seed=1)[0]
        shift = np.linspace(-5, 5, 20)

        moved = fit_normal(7 * features + shift).distance(7 * queries + shift)

        assert moved == pytest.approx(fit_normal(features).distance(queries), rel=1e-3)

    def test_is_not_dominated_by_rounding_in_channels_of_low_variance(self):
        features, queries = scans(200)[0], scans(50, seed=1)[0]
        features[:, 0], queries[:, 0] = 0.5, 0.5
        rounded = queries.copy()
        rounded[:, 0] += 1e-3
        normal = fit_normal(features)

        assert normal.distance(rounded) == pytest.approx(normal.distance(queries), rel=0.05)

    def test_of_constant_features_is_finite(self):
        assert np.isfinite(fit_normal(np.zeros((60, 8), np.float32)).distance(np.eye(8, dtype=np.float32))).all()


def test_energy_equals_scipy():
    logits = np.random.default_rng(0).normal(0, 100, (20, 4)).astype(np.float32)
    assert energy(logits) == pytest.approx(-logsumexp(logits.astype(float), axis=1))


class TestDetector:
    @pytest.mark.parametrize("share", [0.05, 0.2])
    @pytest.mark.parametrize("width", [20, 100])
    def test_rejects_the_stated_share_of_new_scans(self, share, width):
        detector = fit(800, width, share).detector
        features, logits, _ = scans(4000, width, seed=5)

        rejected = (detector.ood_score(features, logits) > 0).mean()

        assert rejected == pytest.approx(share, abs=3 * np.sqrt(share * (1 - share) / 800))

    def test_rejects_the_stated_share_of_fitted_scans_out_of_fold(self):
        fitted = fit(400, 100)
        features, logits, _ = scans(400, 100)

        in_fold = fitted.detector.ood_score(features, logits)

        assert (fitted.ood_score > 0).mean() == pytest.approx(0.05, abs=0.005)
        assert (in_fold > 0).mean() < (fitted.ood_score > 0).mean()

    def test_distances_are_from_other_groups(self):
        """The scans of a group lie far from all others: one of them in the fit would make the others typical."""
        features, logits, _ = scans(200, 20)
        groups = np.arange(200) // 10
        features += 3 * np.random.default_rng(1).normal(size=(20, 20)).astype(np.float32)[groups]

        by_group, by_scan = (
            fit_ood_detector(features, logits, g, reject_share=0.05).detector.statistics
            for g in (groups, np.arange(200))
        )

        assert by_group[0, 0] > 1.2 * by_scan[0, 0]

    def test_rejects_distant_features_and_low_logits(self):
        detector = fit().detector
        features, logits, _ = scans(30, seed=1)

        assert (detector.ood_score(features + 20, logits) > 0).all()
        assert (detector.ood_score(features, logits - 30) > 0).all()
        assert (detector.ood_score(features, logits) > 0).mean() < 0.3

    def test_does_not_depend_on_the_batch(self):
        detector = fit().detector
        features, logits, _ = scans(12, seed=1)

        together = detector.ood_score(features, logits)

        alone = [detector.ood_score(features[row : row + 1], logits[row : row + 1])[0] for row in range(12)]
        assert together == pytest.approx(alone, rel=1e-12)

    def test_does_not_depend_on_the_order_of_classes_or_features(self):
        features, logits, groups = scans(300)
        other = fit_ood_detector(features[:, ::-1], logits[:, ::-1], groups, reject_share=0.05).detector
        queries, query_logits, _ = scans(40, seed=1)

        reordered = other.ood_score(queries[:, ::-1], query_logits[:, ::-1])

        assert reordered == pytest.approx(fit().detector.ood_score(queries, query_logits), abs=1e-6)

    def test_same_seed_same_bytes(self):
        assert fit().detector.to_bytes() == fit().detector.to_bytes()

    def test_size_is_limited_for_wide_features(self):
        assert len(fit(200, 2048).detector.to_bytes()) < 1.2e6


class TestExamples:
    """OOD images that the network maps near scans: only examples of them tell."""

    @staticmethod
    def near(count, seed):
        """Features of OOD images: those of scans, moved by five standard deviations along one direction."""
        features, logits, _ = scans(count, 40, seed)
        spread = np.linalg.eigh(np.cov(scans(2000, 40)[0].T))
        return features + 5 * np.sqrt(spread[0][20]) * spread[1][:, 20].astype(np.float32), logits

    @pytest.mark.parametrize("share", [0.05, 0.2])
    def test_keep_the_share_of_rejected_scans(self, share):
        features, logits, groups = scans(800, 40)
        fitted = fit_ood_detector(features, logits, groups, self.near(200, 7)[0], reject_share=share)
        new, new_logits, _ = scans(4000, 40, seed=5)

        rejected = (fitted.detector.ood_score(new, new_logits) > 0).mean()

        assert rejected == pytest.approx(share, abs=3 * np.sqrt(share * (1 - share) / 800))
        assert (fitted.ood_score > 0).mean() == pytest.approx(share, abs=0.005)

    def test_raise_the_share_of_rejected_ood_images(self):
        features, logits, groups = scans(800, 40)
        without, with_examples = (
            fit_ood_detector(features, logits, groups, examples, reject_share=0.05).detector
            for examples in (None, self.near(200, 7)[0])
        )
        ood = self.near(1000, 8)

        assert (without.ood_score(*ood) > 0).mean() < 0.7
        assert (with_examples.ood_score(*ood) > 0).mean() > 0.9
        far = scans(30, 40, seed=1)
        assert (with_examples.ood_score(far[0] - 20, far[1]) > 0).all(), "also where the projection is low"

    def test_direction_is_that_of_scikit_learns_discriminant(self):
        features, examples = scans(500)[0].astype(float), self.near(500, 7)[0][:, :20].astype(float)
        reference = LinearDiscriminantAnalysis(solver="eigen").fit(
            np.concatenate([features, examples]), np.repeat([0, 1], 500)
        )

        direction = fit_direction(features, examples)

        cosine = direction @ reference.coef_[0] / np.linalg.norm(direction) / np.linalg.norm(reference.coef_)
        assert cosine > 0.99

    def test_are_stored_and_read(self):
        features, logits, groups = scans(300, 40)
        detector = fit_ood_detector(features, logits, groups, self.near(50, 7)[0], reject_share=0.05).detector
        content = detector.to_bytes()

        again = OODDetector.from_bytes(content)

        assert again.direction.shape == (40,)
        assert again.ood_score(features, logits) == pytest.approx(detector.ood_score(features, logits), abs=1e-3)
        arrays = load(content)
        with pytest.raises(ValueError, match="shapes of its arrays"):
            OODDetector.from_bytes(save({name: array for name, array in arrays.items() if name != "direction"}))
        with pytest.raises(ValueError, match="shapes of its arrays"):
            OODDetector.from_bytes(save({**arrays, "direction": arrays["direction"][:3]}))


class TestShares:
    def test_equal_the_share_in_the_fit(self):
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
        few = scans(20)
        with pytest.raises(DataError, match="20 validation images in 10 groups are too few"):
            rejected_shares(fit().detector, few[2], few[:2], few[:2])


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
            (lambda arrays: arrays.update(scale=arrays["scale"][:3]), "shapes of its arrays"),
            (
                lambda arrays: arrays.update(directions=arrays["directions"].T.copy()[:3]),
                "shapes of its arrays",
            ),
            (lambda arrays: arrays.update(usual=arrays["usual"][:1]), "shapes of its arrays"),
            (lambda arrays: arrays.update(variances=-arrays["variances"]), "not finite, or deviations"),
            (lambda arrays: arrays.update(rest=np.zeros(1)), "not finite, or deviations"),
            (lambda arrays: arrays.update(limit=np.array([np.nan])), "not finite, or deviations"),
        ],
    )
    def test_invalid_content_is_refused(self, change, sentence):
        arrays = load(fit().detector.to_bytes())
        change(arrays)

        with pytest.raises(ValueError, match=sentence):
            OODDetector.from_bytes(save(arrays))

    def test_other_content_is_refused(self):
        with pytest.raises(ValueError, match="cannot be read"):
            OODDetector.from_bytes(b"no detector")


class TestTooFewScans:
    @pytest.mark.parametrize("count", [0, 1, 3, 12, 39])
    def test_too_few_scans(self, count):
        sentence = (
            rf"{count} validation images in {(count + 1) // 2} groups are too few .* 5\.0% .* 40 images in 5 groups"
        )
        with pytest.raises(DataError, match=sentence):
            fit(count)

    def test_a_smaller_share_needs_more_scans(self):
        with pytest.raises(DataError, match="at least 200 images in 5 groups"):
            fit(150, reject_share=0.01)

    def test_too_few_groups(self):
        features, logits, groups = scans(90)
        with pytest.raises(DataError, match="90 validation images in 4 groups are too few"):
            fit_ood_detector(features, logits, groups % 4, reject_share=0.05)

    def test_just_enough(self):
        assert fit(40).detector.images == 40
