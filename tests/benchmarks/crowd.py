"""As many small views as wanted, spread like those of real images, with copies among them whose places are known."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
from machine import groups_of
from planting import TRANSFORMS, planted

from brain_tumor.data.duplicates.hashing import GRID
from brain_tumor.data.fingerprint import VIEWS, fingerprint
from brain_tumor.data.phantom import draw_patients, render
from brain_tumor.data.readers.reading import read_image

GreyImage = npt.NDArray[np.uint8]
Grids = npt.NDArray[np.float32]

_PARENTS = 2
_SLICES = 8
"""Images of one head."""
_OWN = (0.1, 0.45)
"""Share of a slice that is its own, not its head's: so that slices are as alike as Cheng's are."""
_COPIED = 0.1
_BLOCK = 4096


class Crowd(NamedTuple):
    """Images of which some are copies."""

    views: GreyImage
    """uint8 [N, VIEWS, GRID, GRID]: what a hash is made of, all that the search for candidates looks at."""
    originals: npt.NDArray[np.int64]
    copies: npt.NDArray[np.int64]
    """Rows that show the same image, in pairs."""


def real_seeds(roots: list[Path], count: int, seed: int = 0) -> Grids:
    """Grids of distinct images of public sets, as they are and altered in all ways, [count, 1 + transforms, …]."""
    paths = []
    for root in roots:
        groups = groups_of(root)
        paths += [str(root / path) for path in groups["path"][~groups["dup99_group"].duplicated()]]
    chosen = np.random.default_rng(seed).permutation(paths)[:count].tolist()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return np.stack(list(pool.map(lambda path: seed_of(read_image(path)), chosen)))


def phantom_seeds(count: int, seed: int = 0) -> Grids:
    """As `real_seeds`, of generated images."""
    return np.stack([seed_of(render(patient, 0, 128)[0]) for patient in draw_patients(count, seed)])


def seed_of(image: GreyImage) -> Grids:
    """Grids of an image and of its altered copies, float32 [1 + transforms, VIEWS, GRID, GRID]."""
    return np.stack([_grids(fingerprint(one)) for one in (image, *planted(image))])


def _grids(views: GreyImage) -> Grids:
    return np.stack([cv2.resize(view, (GRID, GRID), interpolation=cv2.INTER_AREA) for view in views.astype(np.float32)])


def crowd(seeds: Grids, count: int, seed: int = 0) -> Crowd:
    """Mix seeds into ``count`` images; a copy mixes the altered seeds in the way its original mixes the seeds.

    Every head is a mixture of two seeds, every slice one of its head and of two more; a tenth are copies.
    """
    rng = np.random.default_rng(seed)
    copied = int(_COPIED * count)
    fresh = count - copied
    heads = rng.integers(len(seeds), size=(-(-fresh // _SLICES), _PARENTS))[np.arange(fresh) // _SLICES]
    parents = np.hstack([heads, rng.integers(len(seeds), size=heads.shape)])
    own = rng.uniform(*_OWN, (fresh, 1))
    weights = np.hstack([np.repeat(1 - own, _PARENTS, 1), np.repeat(own, _PARENTS, 1)]) / _PARENTS
    weights *= rng.uniform(0.6, 1.4, weights.shape)
    originals = rng.permutation(fresh)[:copied]
    rows = np.concatenate([np.arange(fresh), originals])
    how = np.concatenate([np.zeros(fresh, np.int64), 1 + np.arange(copied) % len(TRANSFORMS)])
    views = np.empty((count, len(VIEWS), GRID, GRID), np.uint8)
    for start in range(0, count, _BLOCK):
        part = slice(start, start + _BLOCK)
        mixed = np.zeros((len(rows[part]), *views.shape[1:]), np.float32)
        for parent in range(parents.shape[1]):
            share = weights[rows[part], parent] / weights[rows[part]].sum(axis=1)
            mixed += share[:, None, None, None].astype(np.float32) * seeds[parents[rows[part], parent], how[part]]
        contrast = np.ptp(mixed, axis=(2, 3), keepdims=True)
        views[part] = (mixed - mixed.min(axis=(2, 3), keepdims=True)) * (255 / np.maximum(contrast, 1))
    place = rng.permutation(count)
    shuffled = np.empty_like(views)
    shuffled[place] = views
    return Crowd(shuffled, place[originals], place[fresh:])
