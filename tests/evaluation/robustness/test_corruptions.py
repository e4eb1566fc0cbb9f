import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brain_tumor.data.phantom.patients import draw_patients, render
from brain_tumor.evaluation.robustness import corruptions as effects
from brain_tumor.evaluation.robustness.corruptions import CORRUPTIONS, SEVERITIES, corrupt, draw_of
from brain_tumor.evaluation.robustness.figures import corruption_examples


@pytest.fixture(scope="module")
def slices():
    return [render(patient, 0, 96)[0] for patient in draw_patients(12, seed=3)]


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_it_grows_with_severity_and_starts_small(name, slices):
    def distance(severity):
        return np.mean(
            [
                np.abs(corrupt(name, image, severity, draw_of(name, 0, n)).astype(float) - image).mean()
                for n, image in enumerate(slices)
            ]
        )

    distances = [distance(severity) for severity in (0, *SEVERITIES)]

    assert distances[0] == 0
    assert (np.diff(distances) > 0).all()
    assert distances[1] < distances[5] / 2


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_it_is_decided_by_its_draw_and_leaves_the_original_alone(name, slices):
    image = slices[0]
    before = image.copy()

    one, again, other = (corrupt(name, image, 3, draw_of(name, 0, number)) for number in (4, 4, 5))

    np.testing.assert_array_equal(one, again)
    np.testing.assert_array_equal(image, before)
    assert name in ("Gaussian blur", "JPEG", "downsampling", "gamma", "brightness", "rotation") or (one != other).any()
    assert not np.shares_memory(corrupt(name, image, 0, draw_of(name, 0, 0)), image)


@settings(deadline=None, max_examples=40)
@given(
    st.sampled_from(list(CORRUPTIONS)),
    st.integers(0, 5),
    st.integers(24, 60),
    st.integers(24, 60),
    st.sampled_from([0, 255, None]),
)
def test_any_picture_keeps_shape_and_type(name, severity, height, width, grey):
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (height, width), np.uint8)
    image = image if grey is None else np.full_like(image, grey)

    worse = corrupt(name, image, severity, rng)

    assert (worse.shape, worse.dtype) == ((height, width), np.uint8)


def test_noise_is_rician():
    """Of no signal: Rayleigh, with mean σ √(π / 2) and second moment 2 σ² (Gudbjartsson & Patz 1995)."""
    noise = effects.rician_noise(np.zeros((300, 300), np.uint8), 20, np.random.default_rng(0)).astype(float)

    assert noise.mean() == pytest.approx(20 * np.sqrt(np.pi / 2), rel=0.01)
    assert (noise**2).mean() == pytest.approx(2 * 20**2, rel=0.02)


def test_k_space_gives_back_what_was_not_changed(slices):
    for effect in (effects.motion, effects.ghosting):
        np.testing.assert_array_equal(effect(slices[0], 0, np.random.default_rng(0)), slices[0])
    ghost = effects.ghosting(slices[0], 0.5, np.random.default_rng(0)).astype(float)
    assert ghost.mean() == pytest.approx(slices[0].mean(), rel=0.12)


def test_a_ghost_of_every_second_line_stands_half_a_picture_away():
    image = np.zeros((64, 64), np.uint8)
    image[8:16, 8:16] = 200
    seeds = (np.random.default_rng(seed) for seed in range(40))
    ghosts = [effects.ghosting(image, 0.5, rng) for rng in seeds]

    assert any(ghost[40:48, 8:16].mean() > 30 and ghost[24:32, 8:16].mean() < 5 for ghost in ghosts)
    assert any(ghost[8:16, 40:48].mean() > 30 and ghost[8:16, 24:32].mean() < 5 for ghost in ghosts)


def test_bias_field_drifts_as_far_as_its_level_says():
    flat = np.full((64, 64), 140, np.uint8)

    field = effects.bias_field(flat, 0.5, np.random.default_rng(1)).astype(float) / 140

    assert np.abs(np.log(field)).max() == pytest.approx(0.5, abs=0.01)
    assert np.log(field).mean() == pytest.approx(0, abs=0.01)
    assert np.abs(np.diff(field, axis=0)).max() < 0.1


def test_examples_show_every_corruption_at_every_severity(slices):
    figure = corruption_examples(slices[0])

    assert len(figure.axes) == 6 * len(CORRUPTIONS)
    assert {axes.get_ylabel() for axes in figure.axes} - {""} == set(CORRUPTIONS)
