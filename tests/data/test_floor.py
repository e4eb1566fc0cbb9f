import cv2
import numpy as np
from sklearn.neighbors import KNeighborsClassifier

from brain_tumor.data.floor import nearest_neighbour


def test_equals_scikit_learn_on_correlation():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 255, (60, 80, 80)).astype(np.uint8)
    labels = rng.integers(0, 3, 60)
    train, queries = np.arange(40), np.arange(40, 60)
    flat = np.stack([cv2.resize(image, (64, 64), interpolation=cv2.INTER_AREA).ravel() for image in images]).astype(
        float
    )
    reference = KNeighborsClassifier(1, metric="correlation", algorithm="brute").fit(flat[train], labels[train])

    np.testing.assert_array_equal(nearest_neighbour(images, labels, train, queries), reference.predict(flat[queries]))


def test_blank_pictures_are_no_error():
    images = np.zeros((3, 64, 64), np.uint8)

    assert nearest_neighbour(images, np.array([1, 0, 0]), np.array([0]), np.array([1, 2])).tolist() == [1, 1]
