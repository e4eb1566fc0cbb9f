import random

import albumentations
import numpy as np
import pytest
from conftest import draw
from omegaconf import OmegaConf

from brain_tumor.config.compose import compose
from brain_tumor.data.augmentation import Augmentation
from brain_tumor.errors import ConfigError

STEPS = {"HorizontalFlip": {"p": 0.5}, "Affine": {"rotate": [-15, 15], "p": 1.0}, "GaussNoise": {"p": 0.5}}
PICTURE = draw("glioma", 0)


def _steps_of(augmentation):
    steps = compose([f"augmentation={augmentation}"], ".").augmentation.steps
    return {
        name: {key: tuple(value) if isinstance(value, list) else value for key, value in step.items()}
        for name, step in OmegaConf.to_container(steps).items()
    }


def test_seed_alone_decides():
    first, second = Augmentation(STEPS), Augmentation(STEPS)
    for seed in (5, 9, 2**32 - 1):
        second(PICTURE, seed + 1 if seed < 9 else 0)  # what was drawn before does not matter
        np.testing.assert_array_equal(first(PICTURE, seed), second(PICTURE, seed))


def test_steps_draw_independently():
    coins = Augmentation({"HorizontalFlip": {"p": 0.5}, "InvertImg": {"p": 0.5}})
    image = np.tile(np.arange(8, dtype=np.uint8), (8, 1))

    drawn = [coins(image, seed)[0] for seed in range(400)]

    outcomes = {tuple(row): 0 for row in (image[0], image[0, ::-1], 255 - image[0], 255 - image[0, ::-1])}
    for row in drawn:
        outcomes[tuple(row)] += 1
    assert all(70 < times < 130 for times in outcomes.values()), outcomes


def test_seeds_differ_and_the_input_is_left_alone():
    augment, before = Augmentation(STEPS), PICTURE.copy()
    drawn = {augment(PICTURE, seed).tobytes() for seed in range(20)}

    assert len(drawn) == 20
    np.testing.assert_array_equal(PICTURE, before)


def test_output_stays_grey_bytes():
    augmented = Augmentation(STEPS)(PICTURE, 0)

    assert augmented.dtype == np.uint8
    assert augmented.shape == PICTURE.shape


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
def test_it_is_what_albumentations_composes(steps):
    ours = Augmentation(steps)

    for seed in range(30):
        theirs = albumentations.Compose([getattr(albumentations, name)(**step) for name, step in steps.items()])
        theirs.set_random_state(np.random.Generator(np.random.Philox(key=seed)), random.Random(seed))
        np.testing.assert_array_equal(ours(PICTURE, seed), theirs(image=PICTURE)["image"])


def test_lists_of_yaml_are_ranges():
    turned = Augmentation({"Affine": {"rotate": [90, 90], "p": 1.0}})(PICTURE, 0)

    assert (
        np.abs(turned.astype(int) - np.rot90(PICTURE)).mean() < 12
        or np.abs(turned.astype(int) - np.rot90(PICTURE, -1)).mean() < 12
    )


@pytest.mark.parametrize(
    ("steps", "sentence"),
    [
        ({"Affine": {"rotat": 5}}, r"Affine cannot be built .*rotat"),
        ({"Affine": {"scale": "big"}}, "Affine cannot be built"),
        ({"Mirror": {}}, "Mirror is no albumentations transform"),
        ({"Compose": {"transforms": []}}, "no albumentations transform"),
    ],
)
def test_mistakes_are_errors_not_warnings(steps, sentence):
    with pytest.raises(ConfigError, match=sentence):
        Augmentation(steps)


@pytest.mark.parametrize(
    ("step", "sentence"),
    [("Normalize", "makes float32"), ("ToFloat", "makes float32"), ("ISONoise", "does not work on grey images")],
)
def test_steps_that_do_not_keep_grey_pictures(step, sentence):
    with pytest.raises(ConfigError, match=rf"augmentation\.steps\.{step} {sentence}"):
        Augmentation({step: {}})


def test_steps_that_change_the_size():
    with pytest.raises(ConfigError, match=r"\[32, 32\] of a grey uint8 \[64, 64\]"):
        Augmentation({"RandomCrop": {"height": 32, "width": 32}})
