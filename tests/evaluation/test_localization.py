"""Maps against masks: thresholds, boxes, and metrics that are functions of the predictions table."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brain_tumor.data.cache.decoding import fit_square
from brain_tumor.evaluation.localization import choose_threshold, localization_values, overlap, with_localization
from brain_tumor.evaluation.map_boxes import enlarge, tumour_box, with_boxes
from brain_tumor.evaluation.metrics.estimates import evaluate
from brain_tumor.evaluation.predictions import Predictions
from brain_tumor.types import UNKNOWN_MASK

SIZE = 32


def logits_of(mask, sharpness=8.0):
    """A map, logits [8, 8], that shows a mask [32, 32]."""
    return ((mask.reshape(8, 4, 8, 4).mean(axis=(1, 3)) - 0.5) * sharpness).astype(np.float32)


def mask_at(top, left, height, width):
    mask = np.zeros((SIZE, SIZE), np.uint8)
    mask[top : top + height, left : left + width] = 1
    return mask


def table(labels):
    names = ("glioma", "no_tumor")
    frame = pd.DataFrame({"sample_id": [str(row) for row in range(len(labels))], "label": labels, "group": ""})
    for name in names:
        frame[f"p_{name}"] = [0.9 if label == name else 0.1 for label in labels]
    return frame


def head(count):
    """Images with a bright disc in the middle."""
    y, x = np.mgrid[:SIZE, :SIZE]
    image = np.where((y - 15.5) ** 2 + (x - 15.5) ** 2 < 14**2, 150, 0).astype(np.uint8)
    return np.stack([image] * count)


class TestColumns:
    masks = np.stack([mask_at(8, 4, 8, 8), mask_at(16, 20, 8, 8), np.zeros((SIZE, SIZE)), np.full((SIZE, SIZE), 255)])
    masks = masks.astype(np.uint8)
    maps = np.stack([logits_of(masks[0]), logits_of(mask_at(0, 0, 8, 8)), np.full((8, 8), -9.0), logits_of(masks[0])])
    maps = maps.astype(np.float32)
    labels = ("glioma", "glioma", "no_tumor", "glioma")

    def columns(self):
        assert UNKNOWN_MASK == 255
        return with_localization(table(self.labels), self.maps, lambda rows: self.masks[rows], head(4), 0.5)

    def test_of_a_hit_a_miss_a_healthy_image_and_one_without_a_mask(self):
        found = self.columns()

        assert found["map_hit"].tolist()[:2] == [1, 0]
        assert found["map_dice"][0] > 0.9
        assert found["map_dice"][1] == 0
        assert found["map_area"][2] == 0
        assert found["map_peak"][2] == pytest.approx(1 / (1 + np.exp(9)), rel=1e-3)
        assert found.loc[2:, ["map_hit", "map_dice", "map_iou", "centre_hit", "chance_hit"]].isna().all(axis=None)

    def test_overlap_is_that_of_sets(self):
        marked, inside = enlarge(self.maps[0], SIZE) >= 0.5, self.masks[0] == 1
        both = len({*np.flatnonzero(marked)} & {*np.flatnonzero(inside)})
        dice, iou = overlap(marked, inside)

        assert dice == pytest.approx(2 * both / (marked.sum() + inside.sum()))
        assert iou == pytest.approx(both / len({*np.flatnonzero(marked)} | {*np.flatnonzero(inside)}))

    def test_metrics_are_means_of_the_columns_even_as_text(self):
        written = self.columns().astype(object).where(lambda frame: frame.notna(), "").astype(str)
        metrics = evaluate(Predictions.from_frame(written), resamples=20)

        assert metrics["localization/pointing"]["value"] == 0.5
        assert metrics["localization/pointing"]["n"] == 2
        assert metrics["localization/dice"]["value"] == pytest.approx(self.columns()["map_dice"].mean())
        assert metrics["localization/iou50"]["value"] == 0.5
        assert metrics["localization/false_area"] == {"value": 0.0, "ci_low": 0.0, "ci_high": 0.0, "n": 1} or (
            metrics["localization/false_area"]["value"] == 0.0
        )

    def test_tables_without_a_map_have_no_such_metric(self):
        assert localization_values(Predictions.from_frame(table(self.labels)), np.ones((1, 4))) == {}


def test_the_threshold_is_that_of_the_largest_dice():
    masks = np.stack([mask_at(8, 8, 8, 8), mask_at(12, 4, 12, 8)])
    maps = np.stack([logits_of(mask) - 1.5 for mask in masks])
    chosen = choose_threshold(maps, lambda rows: masks[rows], np.arange(2))

    pairs = list(zip(maps, masks, strict=True))

    def mean_dice(threshold):
        return np.mean([overlap(enlarge(one, SIZE) >= threshold, mask == 1)[0] for one, mask in pairs])

    grid = np.linspace(0.05, 0.95, 19)
    assert mean_dice(chosen) == max(mean_dice(threshold) for threshold in grid)
    assert chosen < 0.5
    assert choose_threshold(maps, lambda rows: masks[rows], np.array([], int)) == 0.5


@settings(deadline=None, max_examples=40)
@given(
    height=st.integers(40, 400),
    width=st.integers(40, 400),
    place=st.tuples(*[st.floats(0.1, 0.6)] * 2),
    size=st.sampled_from([64, 96]),
)
def test_boxes_are_in_the_pixels_of_the_original(height, width, place, size):
    """A bright rectangle of an image of any proportions, as a map at full resolution would show it."""
    top, left = int(place[0] * height), int(place[1] * width)
    image = np.zeros((height, width), np.uint8)
    image[top : top + height // 4, left : left + width // 4] = 255
    shown = fit_square(image, size).astype(np.float32) / 255
    box = tumour_box((shown - 0.5) * 20, size, 0.5, (height, width))

    tolerance = 1 + max(height, width) / size
    assert box is not None
    x0, y0, x1, y1 = box
    assert 0 <= x0 < x1 <= width
    assert 0 <= y0 < y1 <= height
    assert np.abs(np.subtract(box, (left, top, left + width // 4, top + height // 4))).max() <= tolerance


def test_the_box_is_around_the_region_with_most_evidence():
    cells = np.full((8, 8), -6.0, np.float32)
    cells[1, 1], cells[4:7, 4:7] = 9.0, 3.0
    x0, y0, x1, y1 = tumour_box(cells, SIZE, 0.5, (SIZE, SIZE))

    assert min(x0, y0) > 12
    assert max(x1, y1) <= SIZE
    assert tumour_box(np.full((8, 8), -6.0, np.float32), SIZE, 0.5, (SIZE, SIZE)) is None


def test_tables_of_predictions_get_boxes():
    cells = np.stack([logits_of(mask_at(8, 4, 8, 8)), np.full((8, 8), -9.0)]).astype(np.float32)
    found = with_boxes(table(("glioma", "no_tumor")), cells, [(SIZE, SIZE), (64, 64)], SIZE, 0.5)

    assert found.loc[0, ["x0", "y0", "x1", "y1"]].tolist() == list(tumour_box(cells[0], SIZE, 0.5, (SIZE, SIZE)))
    assert found.loc[1, ["x0", "y0", "x1", "y1"]].isna().all()
    assert found["map_area"][1] == 0
