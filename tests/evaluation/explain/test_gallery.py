import json

import numpy as np
import pandas as pd
import pytest
from factories import predictions

from brain_tumor.evaluation.explain.gallery import (
    Examples,
    error_records,
    errors_figure,
    example_rows,
    examples_figure,
    with_nearest,
)


@pytest.fixture(scope="module")
def table():
    """Ten images of four classes; two are wrong, the second of them with high confidence."""
    p = np.full((10, 4), 0.1)
    labels = np.arange(10) % 4
    p[np.arange(10), labels] = 0.7
    p[3] = [0.4, 0.2, 0.2, 0.2]
    p[6] = [0.01, 0.01, 0.01, 0.97]
    return predictions(labels, p, groups=[f"patient {n // 2}" for n in range(10)])


@pytest.fixture(scope="module")
def samples():
    return pd.DataFrame({"sample_id": ["t0", "t1", "t2"], "label": ["pituitary", "no_tumor", "glioma"]})


def images_and_maps(n, side=16):
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (n, side, side), np.uint8), rng.random((n, side, side), np.float32)


def texts(figure):
    return [text.get_text() for axes in figure.axes for text in axes.texts]


def test_records_name_the_nearest_training_images(table, samples):
    rows = with_nearest(error_records(table), samples, np.array([[1, 0], [2, 1]]), np.array([[0.98, 0.5], [0.7, 0.6]]))

    assert [(row["sample_id"], row["prediction"], row["group"]) for row in rows] == [
        ("6", "pituitary", "patient 3"),
        ("3", "glioma", "patient 1"),
    ]
    assert rows[0]["nearest"] == [
        {"sample_id": "t1", "label": "no_tumor", "similarity": 0.98},
        {"sample_id": "t0", "label": "pituitary", "similarity": 0.5},
    ]
    assert json.loads(json.dumps(rows)) == rows


def test_a_line_has_image_map_and_neighbours(table, samples):
    rows = with_nearest(error_records(table), samples, np.array([[1, 0], [2, 1]]), np.array([[0.98, 0.5], [0.7, 0.6]]))
    images, maps = images_and_maps(2)

    figure = errors_figure(rows, images, maps, np.stack([images, images], axis=1))

    assert len(figure.axes) == 2 * 5
    assert sum(bool(axes.images) for axes in figure.axes) == 8
    assert [axes.get_xlabel() for axes in figure.axes if "(" in axes.get_xlabel()] == [
        "✓ no_tumor (0.98)",
        "pituitary (0.50)",
        "glioma (0.70)",
        "no_tumor (0.60)",
    ]
    assert "true: no_tumor\npredicted: pituitary\nconfidence: 97.0%\ngroup: patient 3" in texts(figure)[0]


def test_figure_without_neighbours_or_errors(table):
    images, maps = images_and_maps(2)

    assert len(errors_figure(error_records(table), images, maps).axes) == 2 * 3
    assert errors_figure([], images[:0], maps[:0]) is None


def test_examples_of_every_class_with_mask_outlines(table):
    rows = example_rows(table, per_class=2)
    assert table.labels[rows].tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    images, maps = images_and_maps(8)
    masks = np.zeros((8, 16, 16), bool)
    masks[5, 4:9, 4:9] = True

    figure = examples_figure(Examples(table, rows, images, maps, masks))

    assert [text for text in texts(figure) if text] == list(table.classes)
    drawn = [axes for axes in figure.axes if axes.images]
    assert len(drawn) == 16
    outlined = [number for number, axes in enumerate(drawn) if axes.collections]
    assert outlined == [10, 11]
    captions = [axes.get_xlabel() for axes in drawn if axes.get_xlabel()]
    assert sum(caption.startswith("✗") for caption in captions) == (np.isin(rows, [3, 6])).sum()


def test_classes_may_have_fewer_examples_or_none():
    table = predictions(np.array([0, 0, 2]), np.eye(4)[[0, 0, 2]])
    rows = example_rows(table, per_class=3)
    images, maps = images_and_maps(3)

    figure = examples_figure(Examples(table, rows, images, maps))

    assert len(rows) == 3
    assert sum(bool(axes.images) for axes in figure.axes) == 6
