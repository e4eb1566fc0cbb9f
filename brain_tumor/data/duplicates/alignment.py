"""How alike are two images once one is laid over the other as well as a shift and a stretch can?

A copy that was cropped or moved by a few percent correlates badly with its original, pixel by pixel; laid over it,
almost perfectly. Neighbouring slices stay apart, however they are laid.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
import numpy.typing as npt

Stack = npt.NDArray[np.float32]

_SEARCH = ((4, 4, 0.9), (2, 2, 0.95), (1, 1, 0.97))
"""Shrinking, steps, and the correlation from which the search goes on: most pairs are given up early and cheaply."""
_FARTHEST = 0.1
"""Shifts up to this share of the image, and stretches by it, are looked for."""
_OVERLAP = 0.75
"""Share of the image that must lie inside the other for a similarity to count."""
_CHUNK = 256
_BLUR, _SEARCH_BLUR = 0.5, 1.0
"""Pixels; the first takes away what resampling does to the finest detail, the second smooths the search's slopes."""


def aligned_similarity(left: npt.NDArray[np.uint8], right: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Correlation of pairs of images after the second is shifted and stretched onto the first.

    Shift and stretch along each axis are found by Gauss–Newton on the squared difference, with gain and offset of
    brightness free (Lucas and Kanade 1981).

    Args:
        left: uint8 [N, S, S].
        right: uint8 [N, S, S].

    Returns:
        float32 [N] in [-1, 1]; -1 where the images would hardly overlap.
    """
    starts = range(0, len(left), _CHUNK)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        parts = pool.map(lambda at: _similarity(left[at : at + _CHUNK], right[at : at + _CHUNK]), starts)
        return np.concatenate([np.empty(0, np.float32), *parts])


def _similarity(left: npt.NDArray[np.uint8], right: npt.NDArray[np.uint8]) -> Stack:
    similarity = np.full(len(left), -1, np.float32)
    rows, moves = np.arange(len(left)), np.zeros((len(left), 4), np.float32)
    for shrink, steps, promising in _SEARCH:
        if not len(rows):
            break
        fixed, loose = (_smooth(stack[rows], _SEARCH_BLUR, shrink) for stack in (left, right))
        moves = _align(fixed, loose, moves, steps)
        similarity[rows] = likeness = _likeness(fixed, *_warp(loose, moves, _linear))
        rows, moves = rows[likeness >= promising], moves[likeness >= promising]
    if len(rows):
        similarity[rows] = _likeness(_smooth(left[rows], _BLUR), *_warp(_smooth(right[rows], _BLUR), moves, _lanczos))
    return similarity


def _likeness(left: Stack, moved: Stack, inside: npt.NDArray[np.bool_]) -> Stack:
    enough = inside.mean(axis=(1, 2)) >= _OVERLAP
    return np.where(enough, _correlation(left, moved, inside), -1).astype(np.float32)


def _smooth(stack: npt.NDArray[np.uint8], blur: float, shrink: int = 1) -> Stack:
    filter_ = _blurring(stack.shape[1], blur, shrink)
    return filter_ @ stack.astype(np.float32) @ filter_.T


@cache
def _blurring(side: int, blur: float, shrink: int) -> Stack:
    """The matrix [side / shrink, side] that blurs a line by a Gaussian (in pixels after shrinking) and shrinks it."""
    centres = (np.arange(side // shrink) + 0.5) * shrink - 0.5
    weights = np.exp(-0.5 * ((np.arange(side) - centres[:, None]) / np.hypot(blur * shrink, (shrink - 1) / 2)) ** 2)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), np.float32)


def _align(left: Stack, right: Stack, moves: Stack, steps: int) -> Stack:
    """Improve the shift (share of the side) and stretch along x and y that lay ``right`` over ``left``, [N, 4]."""
    count, side = len(left), left.shape[1]
    model = _model(left)
    scale = np.linalg.norm(model, axis=2) + 1e-6
    model /= scale[:, :, None]
    ridge = 1e-4 * np.eye(6, dtype=np.float32)
    for _ in range(steps):
        moved, inside = _warp(right, moves, _linear)
        seen = model * inside.reshape(count, 1, -1)
        normal = seen @ seen.transpose(0, 2, 1) + ridge
        target = seen @ moved.reshape(count, side * side, 1)
        found = np.linalg.solve(normal, target)[:, :, 0] / scale
        gain = np.where(found[:, 4] > 0.1, found[:, 4], np.inf)  # no likeness: stay
        moves = np.clip(moves - found[:, :4] / gain[:, None], -_FARTHEST, _FARTHEST).astype(np.float32)
    return moves


def _model(left: Stack) -> Stack:
    """How the image changes with x and y shift, x and y stretch, gain and offset, float32 [N, 6, S · S]."""
    count, side = len(left), left.shape[1]
    down, across = (np.zeros_like(left) for _ in range(2))
    down[:, 1:-1] = (left[:, 2:] - left[:, :-2]) * (side / 2)
    across[:, :, 1:-1] = (left[:, :, 2:] - left[:, :, :-2]) * (side / 2)
    place = _places(side)
    parts = [across, down, across * place, down * place[:, None], left - left.mean(axis=(1, 2), keepdims=True)]
    return np.stack([*parts, np.ones_like(left)], axis=1).reshape(count, 6, -1)


def _places(side: int) -> Stack:
    """Pixel centres as shares of the side, from the middle."""
    return ((np.arange(side) - (side - 1) / 2) / side).astype(np.float32)


def _warp(stack: Stack, moves: Stack, kernel: Callable[[Stack], Stack]) -> tuple[Stack, npt.NDArray[np.bool_]]:
    """Move images; also says which pixels come from inside them."""
    across, inside_across = _interpolation(stack.shape[1], moves[:, 0], moves[:, 2], kernel)
    down, inside_down = _interpolation(stack.shape[1], moves[:, 1], moves[:, 3], kernel)
    inside = inside_down[:, :, None] & inside_across[:, None, :]
    return np.asarray(down @ stack @ across.transpose(0, 2, 1) * inside, np.float32), inside


def _interpolation(
    side: int, shift: Stack, stretch: Stack, kernel: Callable[[Stack], Stack]
) -> tuple[Stack, npt.NDArray[np.bool_]]:
    place = _places(side)
    source = place * (1 + stretch[:, None]) + shift[:, None]
    weights = kernel(side * (source[:, :, None] - place))
    weights /= np.maximum(weights.sum(axis=2, keepdims=True), 0.1)
    return weights.astype(np.float32), np.abs(source) <= place[-1] + 1e-4


def _linear(distance: Stack) -> Stack:
    return np.asarray(np.maximum(0, 1 - np.abs(distance)))


def _lanczos(distance: Stack) -> Stack:
    return np.where(np.abs(distance) < 3, np.sinc(distance) * np.sinc(distance / 3), np.float32(0))


def _correlation(left: Stack, right: Stack, inside: npt.NDArray[np.bool_]) -> Stack:
    count = np.maximum(inside.sum(axis=(1, 2)), 1)[:, None, None]
    x, y = ((stack - (stack * inside).sum(axis=(1, 2), keepdims=True) / count) * inside for stack in (left, right))
    scale = np.sqrt((x * x).sum(axis=(1, 2)) * (y * y).sum(axis=(1, 2)))
    return np.asarray((x * y).sum(axis=(1, 2)) / np.maximum(scale, 1e-6))
