import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brain_tumor.data.phantom.anatomy import Head
from brain_tumor.data.phantom.imaging import SCANNERS, Scanner, scan
from brain_tumor.data.phantom.lesions import KINDS
from brain_tumor.data.phantom.patients import PLANES, draw_patients, render


def of_label(label, count=6, seed=3):
    return [patient for patient in draw_patients(80, seed) if patient.label == label][:count]


def test_labels_are_balanced_and_independent_of_the_source():
    patients = pd.DataFrame([vars(patient) for patient in draw_patients(2000, seed=0)])

    assert set(patients["label"].value_counts()) == {500}
    shares = pd.crosstab(patients["label"], patients["source"], normalize="index")
    assert set(shares.columns) == set(SCANNERS)
    assert (shares.max() - shares.min()).max() < 0.09
    assert patients["patient_id"].is_unique


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000), st.integers(0, 30), st.integers(0, 5))
def test_a_slice_depends_only_on_seed_patient_and_number(seed, number, index):
    patient = draw_patients(40, seed)[number]

    image, mask = render(patient, index, 40)
    render(draw_patients(40, seed + 1)[number], index, 40)
    again, mask_again = render(draw_patients(40, seed)[number], index, 40)

    assert image.dtype == np.uint8
    assert image.shape == mask.shape == (40, 40)
    np.testing.assert_array_equal(image, again)
    np.testing.assert_array_equal(mask, mask_again)
    assert not np.array_equal(image, render(patient, index + 1, 40)[0])
    assert not np.array_equal(image, render(draw_patients(40, seed + 1)[number], index, 40)[0])


@pytest.mark.parametrize("label", KINDS)
def test_every_tumour_slice_shows_its_tumour(label):
    for patient in of_label(label):
        for index in range(4):
            assert render(patient, index, 96)[1].sum() > 40, (patient, index)


def test_healthy_patients_have_no_mask():
    assert not any(render(patient, 0, 64)[1].any() for patient in of_label("no_tumor"))


def test_three_slices_show_the_three_planes():
    for patient in draw_patients(12, 0):
        assert {patient.plane(index) for index in range(3)} == set(PLANES)


def grid(size=80):
    """Patient coordinates of a whole head as one slice, float32 [3, size, size²]."""
    line = np.linspace(-1, 1, size, dtype=np.float32)
    return np.stack(np.meshgrid(line, line, line)).reshape(3, size, -1)


@pytest.mark.parametrize("seed", range(4))
class TestTumourLocations:
    """Typical anatomy of each tumour, independent of the code."""

    def paint(self, kind, seed, contrast="T1c"):
        points, head = grid(), Head(np.random.default_rng(seed))
        image = head.paint(points, contrast)
        lesion = KINDS[kind].draw(np.random.default_rng(seed))
        return points, head.brain_depth(points), lesion, lesion.paint(image, points, head, contrast) > 0.5, image

    def test_glioma_is_inside_the_brain_with_an_enhancing_ring(self, seed):
        points, depth, lesion, mask, image = self.paint("glioma", seed)

        assert (depth[mask] > -0.02).all()
        distance = np.linalg.norm(points - lesion.centre[:, None, None], axis=0)
        core = image[mask & (distance < 0.35 * lesion.radius)]
        assert image[mask].max() > 0.85
        assert np.median(core) < 0.4

    def test_meningioma_lies_on_the_dura_and_is_homogeneous(self, seed):
        _, depth, _, mask, image = self.paint("meningioma", seed)

        assert -0.06 < depth[mask].min() < 0.01
        assert np.std(image[mask]) < 0.15
        assert np.mean(image[mask]) > 0.8

    def test_pituitary_tumour_is_on_the_midline_low_in_the_head(self, seed):
        points, _, _, mask, _ = self.paint("pituitary", seed)

        x, _, z = points[:, mask]
        assert abs(x.mean()) < 0.05
        assert z.mean() < 0


class TestScanner:
    def test_noise_is_rician(self):
        """Without signal it is a Rayleigh distribution: mean / standard deviation = √(π / (4 − π))."""
        scanner = Scanner(noise=0.05, bias=0.0, gamma=1.0, zoom=1.0)
        image = scan(np.zeros((256, 256), np.float32), scanner, np.random.default_rng(0)).astype(float)

        assert image.mean() / image.std() == pytest.approx(np.sqrt(np.pi / (4 - np.pi)), rel=0.03)

    def test_bias_field_is_smooth_and_grows_with_its_strength(self):
        def spread(bias):
            scanner = Scanner(noise=0.0, bias=bias, gamma=1.0, zoom=1.0)
            flat = np.full((64, 64), 0.5, np.float32)
            images = [scan(flat, scanner, np.random.default_rng(seed)).astype(float) for seed in range(8)]
            assert all(np.abs(np.diff(image)).max() < 8 for image in images)
            return np.mean([image.std() / image.mean() for image in images])

        assert spread(0.0) < 0.01 < spread(0.1) < spread(0.3)
