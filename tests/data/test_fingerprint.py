import cv2
import numpy as np

from brain_tumor.data.fingerprint import BOX, HEAD, SIDE, WHOLE, crop_bright_box, crop_head, fingerprint


def brain(height=160, width=120, brightness=1.0):
    """Return a bright ellipse with detail, on black."""
    y, x = np.mgrid[:height, :width]
    inside = ((y - height / 2) / (0.3 * height)) ** 2 + ((x - width / 2) / (0.3 * width)) ** 2 < 1
    detail = 140 + 60 * np.sin(12 * y / height) * np.cos(15 * x / width)
    return np.where(inside, np.clip(brightness * detail, 0, 255), 0).astype(np.uint8)


def test_views_have_one_size_for_images_of_any_size():
    for shape in ((160, 120), (40, 300), (1, 1), (512, 512)):
        views = fingerprint(np.full(shape, 90, np.uint8))
        assert views.shape == (3, SIDE, SIDE)
        assert views.dtype == np.uint8


def test_the_head_excludes_letters_and_rulers():
    image = brain()
    lettered = image.copy()
    lettered[5:9, 5:9] = lettered[150:156, 10:110:8] = 255

    np.testing.assert_array_equal(crop_head(lettered), crop_head(image))
    assert crop_head(image).shape < image.shape
    assert crop_bright_box(lettered).size > crop_bright_box(image).size


def test_the_head_does_not_depend_on_brightness():
    heads = [crop_head(brain(brightness=brightness)).shape for brightness in (0.4, 0.85, 1.0, 1.15)]

    assert np.ptp(heads, axis=0).max() <= 1


def test_stretched_and_padded_copies_have_the_same_head():
    image = brain()
    stretched = cv2.resize(image, (240, 160), interpolation=cv2.INTER_CUBIC)
    padded = np.pad(stretched, ((0, 0), (60, 90)))

    heads, whole = (
        [fingerprint(copy)[view].ravel().astype(float) for copy in (image, padded)] for view in (HEAD, WHOLE)
    )
    assert np.corrcoef(*heads)[0, 1] > 0.99
    assert np.corrcoef(*whole)[0, 1] < 0.9


def test_dark_and_blank_images_are_not_cropped():
    for value in (0, 5):
        image = np.full((50, 70), value, np.uint8)
        assert crop_head(image).shape == crop_bright_box(image).shape == image.shape
        assert (fingerprint(image)[BOX] == value).all()
