"""The floor a model must beat: 1-nearest-neighbour on small pixels, which knows nothing but how alike pictures look."""

import cv2
import numpy as np
import numpy.typing as npt

THUMBNAIL = 64


def nearest_neighbour(
    images: npt.NDArray[np.uint8],
    labels: npt.NDArray[np.int64],
    train: npt.NDArray[np.int64],
    queries: npt.NDArray[np.int64],
) -> npt.NDArray[np.int64]:
    """Class of the training picture that correlates best with each query, on 64 × 64 thumbnails.

    Args:
        images: uint8 [N, H, W].
        labels: int64 [N].
        train: Rows to look among.
        queries: Rows to classify.

    Returns:
        int64 [len(queries)] predicted classes.
    """
    known = _thumbnails(images, train)
    chunks = [queries[start : start + 1024] for start in range(0, len(queries), 1024)]
    nearest = [np.argmax(_thumbnails(images, chunk) @ known.T, axis=1) for chunk in chunks]
    return np.asarray(labels[train[np.concatenate(nearest)]])


def _thumbnails(images: npt.NDArray[np.uint8], rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    """Mean-free thumbnails of unit length, float32 [N, 4096]; a dot product is a correlation."""
    small = [cv2.resize(images[row], (THUMBNAIL, THUMBNAIL), interpolation=cv2.INTER_AREA).ravel() for row in rows]
    flat = np.stack(small).astype(np.float32)
    flat -= flat.mean(axis=1, keepdims=True)
    return np.asarray(flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-6))
