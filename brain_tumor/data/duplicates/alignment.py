"""Measure how similar two images are after one is shifted and stretched onto the other.

A copy that was cropped or moved by a few percent correlates badly with its original, pixel by pixel, and almost
perfectly after alignment. Neighbouring slices of one head stay less similar than copies, however they are aligned.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
import numpy.typing as npt

from brain_tumor.types import Flags, GreyImage

Stack = npt.NDArray[np.float32]

_SEARCH = ((4, 4, 0.9), (2, 2, 0.95), (1, 1, 0.97))
"""Shrink factor, number of steps, and correlation from which the search continues: most pairs are rejected early."""
_MAX_MOVE = 0.1
"""Largest shift and stretch that are tried, as a share of the side."""
_MIN_OVERLAP = 0.75
"""Share of the first image that the second must cover for a similarity to count."""
_CHUNK = 256
_BLUR, _SEARCH_BLUR = 0.5, 1.0
"""Standard deviations in pixels; the first removes resampling artefacts, the second smooths the gradients."""


def aligned_similarity(left: GreyImage, right: GreyImage) -> Stack:
    """Correlate pairs of images after the second is shifted and stretched onto the first.

    Shift and stretch along each axis are found by Gauss–Newton on the squared difference, with gain and offset of
    brightness free (Lucas and Kanade 1981).

    Args:
        left: First image of each pair, uint8 [N, S, S].
        right: Second image of each pair, uint8 [N, S, S].

    Returns:
        float32 [N] in [-1, 1], higher is more similar; -1 where the images overlap too little.
    """
    starts = range(0, len(left), _CHUNK)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        chunks = pool.map(
            lambda start: _similarity(left[start : start + _CHUNK], right[start : start + _CHUNK]), starts
        )
        return np.concatenate([np.empty(0, np.float32), *chunks])


def _similarity(left: GreyImage, right: GreyImage) -> Stack:
    similarity = np.full(len(left), -1, np.float32)
    rows, moves = np.arange(len(left)), np.zeros((len(left), 4), np.float32)
    for shrink, steps, min_correlation in _SEARCH:
        if not len(rows):
            break
        fixed, moving = (_smooth(stack[rows], _SEARCH_BLUR, shrink) for stack in (left, right))
        moves = _align(fixed, moving, moves, steps)
        correlation = _correlation(fixed, *_warp(moving, moves, _linear))
        similarity[rows] = correlation
        rows, moves = rows[correlation >= min_correlation], moves[correlation >= min_correlation]
    if len(rows):
        similarity[rows] = _correlation(
            _smooth(left[rows], _BLUR), *_warp(_smooth(right[rows], _BLUR), moves, _lanczos)
        )
    return similarity


def _smooth(stack: GreyImage, blur: float, shrink: int = 1) -> Stack:
    kernel = _blur_matrix(stack.shape[1], blur, shrink)
    return kernel @ stack.astype(np.float32) @ kernel.T


@cache
def _blur_matrix(side: int, blur: float, shrink: int) -> Stack:
    """Build the matrix [side / shrink, side] that blurs a line by a Gaussian and shrinks it.

    Args:
        side: Length of the line in pixels.
        blur: Standard deviation of the Gaussian in pixels after shrinking.
        shrink: Factor by which the line becomes shorter.
    """
    centres = (np.arange(side // shrink) + 0.5) * shrink - 0.5
    weights = np.exp(-0.5 * ((np.arange(side) - centres[:, None]) / np.hypot(blur * shrink, (shrink - 1) / 2)) ** 2)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), np.float32)


def _align(left: Stack, right: Stack, moves: Stack, steps: int) -> Stack:
    """Improve the moves that align ``right`` with ``left``.

    Args:
        left: Fixed images, float32 [N, S, S].
        right: Images to move, float32 [N, S, S].
        moves: Shift along x and y and stretch along x and y, as shares of the side, float32 [N, 4].
        steps: Number of Gauss–Newton steps.

    Returns:
        Improved moves, float32 [N, 4].
    """
    count, side = len(left), left.shape[1]
    gradients = _gradients(left)
    scale = np.linalg.norm(gradients, axis=2) + 1e-6
    gradients /= scale[:, :, None]
    ridge = 1e-4 * np.eye(6, dtype=np.float32)
    for _ in range(steps):
        moved, inside = _warp(right, moves, _linear)
        masked = gradients * inside.reshape(count, 1, -1)
        normal = masked @ masked.transpose(0, 2, 1) + ridge
        target = masked @ moved.reshape(count, side * side, 1)
        solution = np.linalg.solve(normal, target)[:, :, 0] / scale
        gain = np.where(solution[:, 4] > 0.1, solution[:, 4], np.inf)  # dissimilar images: do not move
        moves = np.clip(moves - solution[:, :4] / gain[:, None], -_MAX_MOVE, _MAX_MOVE).astype(np.float32)
    return moves


def _gradients(left: Stack) -> Stack:
    """Derivatives by x and y shift, x and y stretch, gain and offset, float32 [N, 6, S · S]."""
    count, side = len(left), left.shape[1]
    down, across = (np.zeros_like(left) for _ in range(2))
    down[:, 1:-1] = (left[:, 2:] - left[:, :-2]) * (side / 2)
    across[:, :, 1:-1] = (left[:, :, 2:] - left[:, :, :-2]) * (side / 2)
    centres = _pixel_centres(side)
    moves = [across, down, across * centres, down * centres[:, None]]
    gain, offset = left - left.mean(axis=(1, 2), keepdims=True), np.ones_like(left)
    return np.stack([*moves, gain, offset], axis=1).reshape(count, 6, -1)


def _pixel_centres(side: int) -> Stack:
    """Pixel centres as shares of the side, 0 in the middle, float32 [side]."""
    return ((np.arange(side) - (side - 1) / 2) / side).astype(np.float32)


def _warp(stack: Stack, moves: Stack, kernel: Callable[[Stack], Stack]) -> tuple[Stack, Flags]:
    """Move images; also return which pixels come from inside them."""
    across, inside_across = _interpolation(stack.shape[1], moves[:, 0], moves[:, 2], kernel)
    down, inside_down = _interpolation(stack.shape[1], moves[:, 1], moves[:, 3], kernel)
    inside = inside_down[:, :, None] & inside_across[:, None, :]
    return np.asarray(down @ stack @ across.transpose(0, 2, 1) * inside, np.float32), inside


def _interpolation(side: int, shift: Stack, stretch: Stack, kernel: Callable[[Stack], Stack]) -> tuple[Stack, Flags]:
    """Matrices float32 [N, side, side] that move a line, and which of its pixels come from inside it, [N, side]."""
    centres = _pixel_centres(side)
    source = centres * (1 + stretch[:, None]) + shift[:, None]
    weights = kernel(side * (source[:, :, None] - centres))
    weights /= np.maximum(weights.sum(axis=2, keepdims=True), 0.1)
    return weights.astype(np.float32), np.abs(source) <= centres[-1] + 1e-4


def _linear(distance: Stack) -> Stack:
    return np.asarray(np.maximum(0, 1 - np.abs(distance)))


def _lanczos(distance: Stack) -> Stack:
    return np.where(np.abs(distance) < 3, np.sinc(distance) * np.sinc(distance / 3), np.float32(0))


def _correlation(left: Stack, right: Stack, inside: Flags) -> Stack:
    """Correlation over the pixels ``inside``, float32 [N]; -1 where they are too few."""
    count = np.maximum(inside.sum(axis=(1, 2)), 1)[:, None, None]
    x, y = ((stack - (stack * inside).sum(axis=(1, 2), keepdims=True) / count) * inside for stack in (left, right))
    scale = np.sqrt((x * x).sum(axis=(1, 2)) * (y * y).sum(axis=(1, 2)))
    correlation = (x * y).sum(axis=(1, 2)) / np.maximum(scale, 1e-6)
    return np.where(inside.mean(axis=(1, 2)) >= _MIN_OVERLAP, correlation, -1).astype(np.float32)
