"""Augmentation of grey uint8 images; the only file that knows albumentations."""

import math
import os
import random
import warnings
from collections.abc import Mapping
from typing import Any

import albumentations as A
import cv2
import numpy as np
import numpy.typing as npt

from brain_tumor.errors import ConfigError

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # its import would ask the network for a newer version


class Augmentation:
    """A chain of albumentations transforms whose every draw is decided by a seed of its own.

    An augmented image depends on (image, seed) alone, never on the worker, rank or order that produced it.

    Args:
        steps: Name of an albumentations transform → its arguments, applied in this order.

    Raises:
        ConfigError: A transform that does not exist, an argument it does not take, or one that does not turn a grey
            uint8 image into another of its size.
    """

    def __init__(self, steps: Mapping[str, Mapping[str, Any]]) -> None:
        for name, arguments in steps.items():
            _try(name, arguments or {})
        self._steps = [_build(name, arguments or {}) for name, arguments in steps.items()]
        self._random, self._bits = random.Random(), np.random.Philox(key=0)
        self._start = self._bits.state
        for step in self._steps:
            step.set_random_state(np.random.Generator(self._bits), self._random)

    def __call__(self, image: npt.NDArray[np.uint8], seed: int) -> npt.NDArray[np.uint8]:
        """Augment one image, uint8 [H, W] → uint8 [H, W]: as ``albumentations.Compose`` does, which takes longer."""
        self._seed(seed)
        for step in self._steps:
            if step.should_apply():
                known = {"image": image}
                drawn = step.update_transform_params(step.get_params(), known)
                drawn |= step.get_params_dependent_on_data(drawn, known)
                image = np.ascontiguousarray(step.apply(image, **drawn))
        return image

    def _seed(self, seed: int) -> None:
        """Set the two generators that all steps draw from back to the start of a seed.

        ``Compose.set_random_seed`` takes ten times as long and starts every step at the same number, so that what one
        step draws tells what the next one will.
        """
        self._random.seed(seed)
        self._start["state"]["key"][0] = seed
        self._bits.state = self._start
        self._random.random()  # Compose's, whether to do anything at all


def _try(name: str, arguments: Mapping[str, Any]) -> None:
    """Refuse what does not take a grey uint8 image, or gives another kind or size back."""
    image = np.zeros((64, 64), np.uint8)
    step = _build(name, {**arguments, "p": 1.0})
    try:
        found = step(image=image)["image"]
    except Exception as error:
        raise ConfigError(f"augmentation.steps.{name} does not work on grey images: {error}") from error
    if found.shape != image.shape or found.dtype != image.dtype:
        raise ConfigError(
            f"augmentation.steps.{name} makes {found.dtype} {list(found.shape)} of a grey uint8 [64, 64] image; "
            "expected the same type and size."
        )


class _Affine(A.Affine):  # type: ignore[misc]
    """The same draws and pixels in half the time.

    The original asks at each step what a grey image tells, and works out two matrices, each as a product of six, of
    which one is for boxes.
    """

    def get_params_dependent_on_data(self, params: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
        """Draw how to warp, in the original's order: scaled, turned, sheared, shifted, about the centre."""
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
        how = {"flags": self.interpolation, "borderMode": self.border_mode, "borderValue": self.fill}
        warped: npt.NDArray[np.uint8] = cv2.warpAffine(img, matrix[:2], output_shape[::-1], **how)
        return warped


_FASTER = {"Affine": _Affine}


def _build(name: str, arguments: Mapping[str, Any]) -> Any:
    factory = _FASTER.get(name) or getattr(A, name, None)
    if not (isinstance(factory, type) and issubclass(factory, A.BasicTransform)):
        raise ConfigError(
            f"augmentation.steps.{name} is no albumentations transform; see the names in its documentation."
        )
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # it only warns of a wrong argument, and goes on without it
        try:
            return factory(**{key: _tuple(value) for key, value in arguments.items()})
        except (UserWarning, TypeError, ValueError) as error:
            reason = " ".join(str(error).split())
            raise ConfigError(f"augmentation.steps.{name} cannot be built from {dict(arguments)}: {reason}.") from error


def _tuple(value: Any) -> Any:
    """YAML knows lists only, albumentations tells ranges (tuples) from lists."""
    return tuple(value) if isinstance(value, list) else value
