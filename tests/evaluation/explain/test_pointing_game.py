import json

import numpy as np
import pytest
from factories import predictions

from brain_tumor.data.masks import head_mask
from brain_tumor.evaluation.explain.pointing_game import correctly_classified_tumours, evaluate_pointing

SIDE = 56  # 15 / 224 of it are 3.75 px


def head(n=1):
    """A head of 40 × 40 pixels, 8 from each border."""
    images = np.zeros((n, SIDE, SIDE), np.uint8)
    images[:, 8:48, 8:48] = 120
    return images


def mask(top=12, left=12, side=8, n=1):
    masks = np.zeros((n, SIDE, SIDE), bool)
    masks[:, top : top + side, left : left + side] = True
    return masks


def peak(y, x):
    saliency_map = np.zeros((1, SIDE, SIDE), np.float32)
    saliency_map[0, y, x] = 1
    return saliency_map


@pytest.mark.parametrize(
    ("place", "exact", "near"), [((15, 15), 1, 1), ((15, 22), 0, 1), ((15, 23), 0, 0), ((40, 40), 0, 0)]
)
def test_a_maximum_hits_inside_or_within_the_tolerance(place, exact, near):
    document = evaluate_pointing(peak(*place), mask(), head(), np.array([0]), resamples=10)

    assert document["pointing_exact"]["value"] == exact
    assert document["pointing"]["value"] == near
    assert document["tolerance_px"] == 3.8


def test_iou_uses_as_many_pixels_as_the_mask_has():
    half_inside = mask(12, 16).astype(np.float32)

    document = evaluate_pointing(half_inside, mask(), head(), np.array([0]), resamples=10)

    assert document["iou"]["value"] == pytest.approx(32 / 96)
    assert (
        evaluate_pointing(mask().astype(np.float32), mask(), head(), np.array([0]), resamples=10)["iou"]["value"] == 1
    )


def test_constant_maps_miss_and_zero_pixels_do_not_overlap():
    for saliency_map in (np.zeros((1, SIDE, SIDE), np.float32), peak(40, 40)):
        document = evaluate_pointing(saliency_map, mask(0, 0), head(), np.array([0]), resamples=10)
        assert document["pointing"]["value"] == document["iou"]["value"] == 0


def test_chance_equals_the_mean_of_random_points_and_pixels_in_the_head():
    rng = np.random.default_rng(0)
    images, masks = head(), mask(20, 20, 12)
    document = evaluate_pointing(peak(9, 9), masks, images, np.array([0]), resamples=10)
    inside = np.flatnonzero(head_mask(images[0]))

    hits = masks[0].ravel()[rng.choice(inside, 20_000)].mean()
    overlaps = []
    for _ in range(300):
        drawn = np.zeros(SIDE * SIDE, bool)
        drawn[rng.choice(inside, 144, replace=False)] = True
        overlaps.append((drawn & masks.ravel()).sum() / (drawn | masks.ravel()).sum())

    assert document["pointing_exact"]["chance"] == pytest.approx(hits, abs=0.01)
    assert document["iou"]["chance"] == pytest.approx(np.mean(overlaps), abs=0.005)
    assert document["pointing"]["chance"] > document["pointing_exact"]["chance"]


def test_the_centre_of_the_image_is_a_baseline():
    central, aside = mask(24, 24), mask()

    for masks, hit in ((central, 1), (aside, 0)):
        document = evaluate_pointing(peak(9, 9), masks, head(), np.array([0]), resamples=10)
        assert document["pointing_exact"]["centre"] == hit
    assert evaluate_pointing(peak(9, 9), central, head(), np.array([0]), resamples=10)["iou"]["centre"] > 0.6


def test_intervals_draw_whole_groups():
    maps = np.concatenate([peak(15, 15)] * 20 + [peak(40, 40)] * 20)
    alone, grouped = (
        evaluate_pointing(maps, mask(n=40), head(40), groups, resamples=500)["pointing"]
        for groups in (np.arange(40), np.arange(40) // 10 + 3)
    )

    assert alone["value"] == grouped["value"] == 0.5
    assert grouped["ci_high"] - grouped["ci_low"] > 1.5 * (alone["ci_high"] - alone["ci_low"])


def test_empty_masks_are_left_out():
    masks = np.concatenate([mask(), np.zeros_like(mask())])

    document = evaluate_pointing(np.concatenate([peak(15, 15)] * 2), masks, head(2), np.array([0, 1]), resamples=10)
    nothing = evaluate_pointing(peak(15, 15), masks[1:], head(), np.array([0]), resamples=10)

    assert (document["images"], document["groups"], document["pointing"]["value"]) == (1, 1, 1)
    assert nothing["images"] == 0
    assert nothing["iou"] == dict.fromkeys(("value", "ci_low", "ci_high", "chance", "centre"))
    assert json.loads(json.dumps(document)) == document


def test_only_correctly_classified_tumours_are_selected():
    labels = np.array([0, 1, 2, 3])  # the third is healthy
    p = np.eye(4)[[0, 0, 2, 3]]

    assert correctly_classified_tumours(predictions(labels, p)).tolist() == [0, 3]
    both = predictions(np.array([0, 1]), np.eye(2), names=("a", "b"))
    assert correctly_classified_tumours(both).tolist() == [0, 1]
