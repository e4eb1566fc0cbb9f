"""Augmentation of grey uint8 images; the only module that imports albumentations."""

import inspect
import math
import os
import random
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import albumentations as A
import cv2
import numpy as np
import numpy.typing as npt

from brain_tumor.errors import ConfigError

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # its import would look for a newer version on the network


class Augmentation:
    """A sequence of albumentations transforms, seeded per image.

    An augmented image depends only on (image, seed), not on the worker, the rank or the order in which it is computed.

    Args:
        steps: Steps by name, in the order in which they are applied. Each is a table of arguments of the albumentations
            transform of that name, or a transform of a user's own.

    Raises:
        ConfigError: A transform does not exist, has an invalid argument, or does not keep the type and size of a grey
            uint8 image.
    """

    def __init__(self, steps: Mapping[str, Mapping[str, Any] | A.BasicTransform | None]) -> None:
        self._steps = [
            step if isinstance(step, A.BasicTransform) else _build(name, step or {}) for name, step in steps.items()
        ]
        for name, step in zip(steps, self._steps, strict=True):
            _check_step(name, step)
        self._random, self._bit_generator = random.Random(), np.random.Philox(key=0)
        self._initial_state = self._bit_generator.state
        for step in self._steps:
            step.set_random_state(np.random.Generator(self._bit_generator), self._random)

    def __call__(self, image: npt.NDArray[np.uint8], seed: int) -> npt.NDArray[np.uint8]:
        """Augment one image, uint8 [H, W] → uint8 [H, W], with the result of ``albumentations.Compose`` in less time.

        Args:
            image: uint8 [H, W], not changed.
            seed: Seed of all random numbers.
        """
        return self.with_mask(image, None, seed)[0]

    def with_mask(
        self, image: npt.NDArray[np.uint8], mask: npt.NDArray[np.uint8] | None, seed: int
    ) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8] | None]:
        """Augment an image, and move its mask as the image is moved, stretched or mirrored.

        Args:
            image: uint8 [H, W], not changed.
            mask: uint8 [H, W], 1 inside; None for no mask. A user's own function changes the image alone.
            seed: Seed of all random numbers; the image is the same with and without a mask.
        """
        self._seed(seed)
        for step in self._steps:
            if step.should_apply():
                data = {"image": image}
                params = step.update_transform_params(step.get_params(), data)
                params |= step.get_params_dependent_on_data(params, data)
                image = np.ascontiguousarray(step.apply(image, **params))
                if mask is not None and isinstance(step, A.DualTransform):
                    mask = np.ascontiguousarray(step.apply_to_mask(mask, **params))
        return image, mask

    def _seed(self, seed: int) -> None:
        """Seed the two generators that all steps share.

        ``Compose.set_random_seed`` takes ten times as long and gives every step the same seed, so that the draws of
        different steps are correlated.
        """
        self._random.seed(seed)
        self._initial_state["state"]["key"][0] = seed
        self._bit_generator.state = self._initial_state
        self._random.random()  # Compose draws this number to decide whether to apply any step


def own_step(name: str, factory: Callable[..., Any], p: float = 0.5) -> A.BasicTransform:
    """Make a step of a user's class or function.

    Args:
        name: Name of the step, for messages.
        factory: A class of albumentations transforms, or a function (image uint8 [H, W], ``numpy.random.Generator``) →
            uint8 [H, W] that leaves its input as it is; its further arguments are bound.
        p: Probability with which the step is applied.

    Raises:
        ConfigError: The class makes no transform.
    """
    if not inspect.isclass(getattr(factory, "func", factory)):
        return _FunctionStep(factory, p)
    step = factory(p=p)
    if not isinstance(step, A.BasicTransform):
        raise ConfigError(
            f"augmentation.steps.{name} makes a {type(step).__name__}: expected an albumentations transform, or a "
            "function (image, generator) → image."
        )
    return step


class _FunctionStep(A.ImageOnlyTransform):  # type: ignore[misc]
    """A function (image, generator) → image as a transform."""

    def __init__(self, function: Callable[..., Any], p: float) -> None:
        super().__init__(p=p)
        self._function = function

    def apply(self, img: npt.NDArray[np.uint8], **params: Any) -> npt.NDArray[np.uint8]:
        """Call the function; the generator is that of the image's seed."""
        result: npt.NDArray[np.uint8] = self._function(img, self.random_generator)
        return result


def _check_step(name: str, step: A.BasicTransform) -> None:
    """Refuse a transform that does not accept a grey uint8 image, changes it in place, or changes its type or size."""
    image = np.zeros((64, 64), np.uint8)
    image.setflags(write=False)
    probability, step.p = step.p, 1.0
    try:
        result = np.asarray(step(image=image)["image"])
    except Exception as error:  # whatever a transform raises
        raise ConfigError(f"augmentation.steps.{name} does not accept grey images: {error}") from error
    finally:
        step.p = probability
    if result.shape != image.shape or result.dtype != image.dtype:
        raise ConfigError(
            f"augmentation.steps.{name} returns {result.dtype} {list(result.shape)} for a grey uint8 [64, 64] image; "
            "expected the same type and size."
        )


def _build(name: str, arguments: Mapping[str, Any]) -> Any:
    factory = _REPLACEMENTS.get(name) or getattr(A, name, None)
    if not (isinstance(factory, type) and issubclass(factory, A.BasicTransform)):
        raise ConfigError(
            f"Invalid augmentation.steps.{name}: expected a transform of albumentations; see its documentation."
        )
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # albumentations only warns of an invalid argument and ignores it
        try:
            return factory(**{key: _to_tuple(value) for key, value in arguments.items()})
        except (UserWarning, TypeError, ValueError) as error:
            reason = " ".join(str(error).split())
            raise ConfigError(f"Invalid augmentation.steps.{name}={dict(arguments)}: {reason}.") from error


def _to_tuple(value: Any) -> Any:
    """Convert lists to tuples: albumentations expects ranges as tuples, YAML has only lists."""
    return tuple(value) if isinstance(value, list) else value


class _FastAffine(A.Affine):  # type: ignore[misc]
    """Affine transform of grey images: the same draws and pixels as ``albumentations.Affine`` in half the time.

    The original inspects the image in each step, and computes two matrices as products of six, one of them for
    bounding boxes.
    """

    def get_params_dependent_on_data(self, params: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
        """Draw the matrix, in the order of the original: scale, rotation, shear and shift about the centre."""
        if self.fit_output:
            return dict(super().get_params_dependent_on_data(params, data))
        height, width = shape = params["shape"][:2]
        shift, shear = self._get_translate_params(shape), self._get_shear_params()
        scale = self._get_scale(self.scale, self.keep_ratio, self.balanced_scale, self.py_random)
        angle = math.radians(self.py_random.uniform(*self.rotate) % 360)
        cos, sin = math.cos(angle), math.sin(angle)
        a, b, c, d = cos * scale["x"], sin * scale["y"], -sin * scale["x"], cos * scale["y"]
        along_x, along_y = (math.tan(math.radians(shear[axis])) for axis in "xy")
        a, b, c, d = a + along_x * c, b + along_x * d, along_y * a + c, along_y * b + d
        x, y = (width - 1) / 2, (height - 1) / 2
        matrix = np.array([[a, b, x + shift["x"] - a * x - b * y], [c, d, y + shift["y"] - c * x - d * y]])
        return {"matrix": matrix, "output_shape": shape}

    def apply(
        self, img: npt.NDArray[np.uint8], matrix: npt.NDArray[np.float64], output_shape: tuple[int, int], **params: Any
    ) -> npt.NDArray[np.uint8]:
        """Warp a grey image."""
        options = {"flags": self.interpolation, "borderMode": self.border_mode, "borderValue": self.fill}
        warped: npt.NDArray[np.uint8] = cv2.warpAffine(img, matrix[:2], output_shape[::-1], **options)
        return warped

    def apply_to_mask(
        self, mask: npt.NDArray[np.uint8], matrix: npt.NDArray[np.float64], output_shape: tuple[int, int], **params: Any
    ) -> npt.NDArray[np.uint8]:
        """Warp a mask; what comes from beyond the border is outside."""
        options = {"flags": self.mask_interpolation, "borderMode": self.border_mode, "borderValue": 0}
        warped: npt.NDArray[np.uint8] = cv2.warpAffine(mask, matrix[:2], output_shape[::-1], **options)
        return warped


_REPLACEMENTS = {"Affine": _FastAffine}
