import random

import albumentations
import numpy as np
import pytest
from factories import draw
from omegaconf import OmegaConf

from brain_tumor.config.compose import compose
from brain_tumor.data.augmentation import Augmentation, own_step
from brain_tumor.errors import ConfigError

STEPS = {"HorizontalFlip": {"p": 0.5}, "Affine": {"rotate": [-15, 15], "p": 1.0}, "GaussNoise": {"p": 0.5}}
IMAGE = draw("glioma", 0)


def _steps_of(augmentation):
    """Return the steps of a configuration file with ranges as tuples."""
    steps = compose([f"augmentation={augmentation}"], ".").augmentation.steps
    return {
        name: {key: tuple(value) if isinstance(value, list) else value for key, value in step.items()}
        for name, step in OmegaConf.to_container(steps).items()
    }


def test_the_seed_alone_decides():
    first, second = Augmentation(STEPS), Augmentation(STEPS)
    for seed in (5, 9, 2**32 - 1):
        second(IMAGE, seed + 1 if seed < 9 else 0)  # earlier draws have no effect
        np.testing.assert_array_equal(first(IMAGE, seed), second(IMAGE, seed))


def test_steps_draw_independently():
    augment = Augmentation({"HorizontalFlip": {"p": 0.5}, "InvertImg": {"p": 0.5}})
    image = np.tile(np.arange(8, dtype=np.uint8), (8, 1))

    first_rows = [augment(image, seed)[0] for seed in range(400)]

    outcomes = {tuple(row): 0 for row in (image[0], image[0, ::-1], 255 - image[0], 255 - image[0, ::-1])}
    for row in first_rows:
        outcomes[tuple(row)] += 1
    assert all(70 < count < 130 for count in outcomes.values()), outcomes


def test_seeds_differ_and_the_input_is_not_changed():
    augment, before = Augmentation(STEPS), IMAGE.copy()
    augmented = {augment(IMAGE, seed).tobytes() for seed in range(20)}

    assert len(augmented) == 20
    np.testing.assert_array_equal(IMAGE, before)


def test_the_output_is_grey_uint8():
    augmented = Augmentation(STEPS)(IMAGE, 0)

    assert augmented.dtype == np.uint8
    assert augmented.shape == IMAGE.shape


@pytest.mark.parametrize(
    "steps",
    [
        {"Affine": {"rotate": (-15, 15), "scale": (0.9, 1.1), "translate_percent": (-0.06, 0.06), "p": 0.8}},
        {"Affine": {"shear": (-9, 9), "border_mode": 4, "interpolation": 2, "p": 1.0}},
        {"Affine": {"rotate": (-400, 400), "fill": 77.0, "p": 1.0}},
        {"Affine": {"translate_px": (-9, 9), "scale": (0.5, 2.0), "keep_ratio": True, "p": 1.0}},
        {"Affine": {"scale": (0.5, 2.0), "balanced_scale": True, "p": 1.0}},
        {"Affine": {"p": 1.0}},
        *(_steps_of(name) for name in ("none", "light", "medium", "heavy")),
    ],
)
def test_results_equal_those_of_albumentations(steps):
    augment = Augmentation(steps)

    for seed in range(30):
        reference = albumentations.Compose([getattr(albumentations, name)(**step) for name, step in steps.items()])
        reference.set_random_state(np.random.Generator(np.random.Philox(key=seed)), random.Random(seed))
        np.testing.assert_array_equal(augment(IMAGE, seed), reference(image=IMAGE)["image"])


def test_lists_are_ranges():
    turned = Augmentation({"Affine": {"rotate": [90, 90], "p": 1.0}})(IMAGE, 0)

    assert (
        np.abs(turned.astype(int) - np.rot90(IMAGE)).mean() < 12
        or np.abs(turned.astype(int) - np.rot90(IMAGE, -1)).mean() < 12
    )


@pytest.mark.parametrize(
    ("steps", "sentence"),
    [
        ({"Affine": {"rotat": 5}}, r"Invalid augmentation\.steps\.Affine=.*rotat"),
        ({"Affine": {"scale": "big"}}, r"Invalid augmentation\.steps\.Affine="),
        ({"Mirror": {}}, r"Invalid augmentation\.steps\.Mirror: expected a transform of albumentations"),
        ({"Compose": {"transforms": []}}, "expected a transform of albumentations"),
    ],
)
def test_invalid_steps_are_errors_not_warnings(steps, sentence):
    with pytest.raises(ConfigError, match=sentence):
        Augmentation(steps)


@pytest.mark.parametrize(
    ("step", "sentence"),
    [("Normalize", "returns float32"), ("ToFloat", "returns float32"), ("ISONoise", "does not accept grey images")],
)
def test_steps_that_do_not_keep_grey_uint8(step, sentence):
    with pytest.raises(ConfigError, match=rf"augmentation\.steps\.{step} {sentence}"):
        Augmentation({step: {}})


def test_steps_that_change_the_size():
    with pytest.raises(ConfigError, match=r"\[32, 32\] for a grey uint8 \[64, 64\]"):
        Augmentation({"RandomCrop": {"height": 32, "width": 32}})


@pytest.mark.parametrize("seed", range(12))
def test_masks_move_with_their_images(seed):
    """An image that shows its own mask still does so afterwards; with a mask the image is the same as without."""
    steps = {
        "HorizontalFlip": {"p": 0.5},
        "Affine": {"rotate": [-20, 20], "scale": [0.8, 1.2], "translate_percent": [-0.1, 0.1], "p": 0.9},
        "RandomGamma": {"gamma_limit": [80, 120], "p": 0.5},
        "CoarseDropout": {"num_holes_range": [1, 1], "hole_height_range": [0.1, 0.1], "hole_width_range": [0.1, 0.1],
                          "fill": 0, "p": 0.3},
    }  # fmt: skip
    mask = np.zeros((96, 96), np.uint8)
    mask[20:50, 12:40], mask[60:80, 55:75] = 1, 1
    augment = Augmentation(steps)

    image, moved = augment.with_mask(mask * 200, mask, seed)

    np.testing.assert_array_equal(image, augment(mask * 200, seed))
    assert set(np.unique(moved)) == {0, 1}
    assert ((image > 100) & (moved == 0)).sum() < 0.06 * mask.sum()  # up to half a pixel along the edges
    assert ((image < 50) & (moved == 1)).sum() < 0.2 * mask.sum()  # erased parts, too


def test_a_users_function_changes_the_image_alone():
    step = own_step("brighten", lambda image, _: np.clip(image + 30, 0, 255).astype(np.uint8), p=1.0)
    mask = np.eye(64, dtype=np.uint8)
    image, moved = Augmentation({"brighten": step}).with_mask(np.zeros((64, 64), np.uint8), mask, 0)

    assert image.max() == 30
    np.testing.assert_array_equal(moved, mask)
