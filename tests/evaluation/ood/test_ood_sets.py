"""Sets of OOD images: content and reproducibility."""

import numpy as np
import pytest

from brain_tumor.evaluation.ood.bodies import neck
from brain_tumor.evaluation.ood.outliers import FITTED_KINDS, outliers
from brain_tumor.evaluation.ood.test_sets import ANATOMY, anatomy, ood_sets

SIZE = 50
FROM_SCANS = ["inverted", "shuffled", "cropped", "shifted", "shrunken"]


@pytest.fixture(scope="module")
def scans():
    return np.random.default_rng(0).integers(0, 200, (7, SIZE, SIZE), dtype=np.uint8)


@pytest.fixture(scope="module")
def sets(scans):
    return ood_sets(SIZE, count=10, seed=1, scans=scans)


def test_all_images_are_grey_and_of_the_size(sets):
    drawn = ["photos", "anatomy", "generated body", "generated neck", "noise", "blank", "text"]
    assert list(sets) == [*drawn, *FROM_SCANS]
    for name, images in sets.items():
        assert images.dtype == np.uint8
        assert images.shape[1:] == (SIZE, SIZE)
        assert len(images) == (7 if name in FROM_SCANS else 10)
        assert len(np.unique(images, axis=0)) == len(images)


def test_same_seed_same_images(sets, scans):
    again, other = (ood_sets(SIZE, count=10, seed=seed, scans=scans) for seed in (1, 2))

    for name in sets:
        np.testing.assert_array_equal(sets[name], again[name])
        assert not np.array_equal(sets[name], other[name]) or name == "blank"


def test_a_set_does_not_depend_on_the_others(sets):
    without = ood_sets(SIZE, count=10, seed=1)

    assert set(sets) - set(without) == set(FROM_SCANS)
    for name, images in without.items():
        np.testing.assert_array_equal(images, sets[name])


def test_inverted_and_shuffled_keep_the_pixels_of_scans(sets, scans):
    histograms = {tuple(np.bincount(scan.ravel(), minlength=256)) for scan in scans}

    assert {tuple(np.bincount(image.ravel(), minlength=256)) for image in sets["shuffled"]} == histograms
    assert {tuple(np.bincount(255 - image.ravel(), minlength=256)) for image in sets["inverted"]} == histograms
    assert {(255 - image).tobytes() for image in sets["inverted"]} == {scan.tobytes() for scan in scans}


def test_blank_images_range_from_black_to_white(sets):
    assert sets["blank"].std(axis=(1, 2)).max() < 15
    means = sets["blank"].mean(axis=(1, 2))
    assert means.min() < 1
    assert means.max() > 240


def test_text_is_dark_on_light_and_light_on_dark(sets):
    assert {int(np.median(page)) for page in sets["text"]} == {0, 255}


def test_generated_bodies_have_a_black_background(sets):
    corners = sets["generated body"][:, [0, 0, -1, -1], [0, -1, 0, -1]]
    assert corners.mean() < 25
    assert sets["generated body"][:, SIZE // 2 - 5 : SIZE // 2 + 5].mean() > 40


def test_necks_have_a_dark_airway_in_front_of_a_bright_vertebra():
    necks = neck(20, 64, np.random.default_rng(0)).astype(float)
    front, middle = necks[:, 18:26, 30:34].min(axis=(1, 2)), necks[:, 31:35, 30:34].mean(axis=(1, 2))

    assert (front < 0.5 * middle).all()


def test_cropped_shifted_and_shrunken_heads_show_part_of_the_scan_or_less():
    scan = np.zeros((64, 64), np.uint8)
    scan[12:52, 12:52] = 200
    sets = ood_sets(64, count=20, seed=3, scans=np.stack([scan] * 20))

    assert sets["cropped"].mean() > 2 * scan.mean(), "enlarged: the dark border is outside"
    assert (sets["shifted"] > 0).mean(axis=(1, 2)).max() < 0.8 * (scan > 0).mean()
    assert ((sets["shrunken"] > 0).sum(axis=(1, 2)) < 0.2 * (scan > 0).sum()).all()
    assert ((sets["shrunken"] > 0).sum(axis=(1, 2)) > 0).all()


def test_outliers_are_other_draws_than_the_test_sets_of_their_kinds(scans):
    fitted = outliers(scans, count=7, seed=1)
    tested = ood_sets(SIZE, count=7, seed=1, scans=scans)

    assert len(fitted) == 7 * len(FITTED_KINDS)
    assert set(FITTED_KINDS) < set(tested)
    np.testing.assert_array_equal(fitted, outliers(scans, count=7, seed=1))
    for number, kind in enumerate(FITTED_KINDS):
        same = {image.tobytes() for image in fitted[7 * number : 7 * number + 7]} & {
            image.tobytes() for image in tested[kind]
        }
        assert not same or kind == "inverted", kind  # an inverted scan has no other draw


def test_anatomy_has_eight_poses_per_file():
    images = anatomy(1000, SIZE, np.random.default_rng(0))

    assert len(np.unique(images, axis=0)) == len(images) == 8 * len(ANATOMY)
