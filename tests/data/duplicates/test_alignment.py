import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brain_tumor.data.duplicates.alignment import aligned_similarity


def scene(seed, side=256):
    """Smooth random detail over a bright ellipse."""
    rng = np.random.default_rng(seed)
    detail = cv2.GaussianBlur(rng.normal(size=(side, side)), (0, 0), side / 40)
    y, x = np.mgrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j]
    return (np.hypot(x / 0.8, y / 0.9) < 1) * np.clip(120 + 900 * detail, 30, 250)


def small(image, moved=(0.0, 0.0), stretch=(1.0, 1.0)):
    side = len(image)
    centre = side / 2
    matrix = np.array(
        [
            [stretch[0], 0, centre * (1 - stretch[0]) + moved[0] * side],
            [0, stretch[1], centre * (1 - stretch[1]) + moved[1] * side],
        ]
    )
    warped = cv2.warpAffine(image, matrix, (side, side), flags=cv2.INTER_LINEAR)
    return cv2.resize(warped, (64, 64), interpolation=cv2.INTER_AREA).astype(np.uint8)[None]


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 50),
    st.tuples(st.floats(-0.04, 0.04), st.floats(-0.04, 0.04)),
    st.tuples(st.floats(0.95, 1.05), st.floats(0.95, 1.05)),
)
def test_moved_and_stretched_copies_are_aligned(seed, moved, stretch):
    image = scene(seed)

    assert aligned_similarity(small(image), small(image, moved, stretch))[0] > 0.98


def test_similarity_is_higher_than_without_alignment():
    image = scene(0)
    original, copy = small(image), small(image, (0.04, -0.03))

    assert np.corrcoef(original.ravel(), copy.ravel())[0, 1] < 0.9
    assert aligned_similarity(original, copy)[0] > 0.99


def test_brightness_and_contrast_do_not_matter():
    original = small(scene(1))
    copy = (original * 0.6 + 20).astype(np.uint8)

    assert aligned_similarity(original, copy)[0] > 0.995


def test_other_images_are_not_similar():
    pairs = [(small(scene(seed)), small(scene(seed + 100))) for seed in range(20)]
    left, right = (np.concatenate(images) for images in zip(*pairs, strict=True))

    assert aligned_similarity(left, right).max() < 0.95


@pytest.mark.parametrize("count", [0, 1, 300])
def test_any_number_of_pairs(count):
    stack = np.repeat(small(scene(2)), count, axis=0)

    similarity = aligned_similarity(stack, stack)

    assert similarity.shape == (count,)
    assert (similarity > 0.999).all()


def test_blank_images_are_similar_to_nothing():
    blank = np.zeros((1, 64, 64), np.uint8)

    assert aligned_similarity(blank, small(scene(3)))[0] <= 0
    assert np.isfinite(aligned_similarity(blank, blank)).all()
