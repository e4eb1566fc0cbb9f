"""Phantom patients: each decided by its own seed, so that any slice can be rendered alone, in any order."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from brain_tumor.data.labels import HEALTHY
from brain_tumor.data.phantom.anatomy import Head
from brain_tumor.data.phantom.imaging import SCANNERS, Map, scan
from brain_tumor.data.phantom.lesions import KINDS, Lesion

CONTRASTS = {"T1c": 0.7, "T1": 0.15, "T2": 0.15}
"""How often each is taken."""
PLANES = ("axial", "coronal", "sagittal")
FIELD_OF_VIEW = 1.12
"""Half the side of the image at zoom 1, in patient units."""


@dataclass(frozen=True)
class Patient:
    """What decides a patient's slices."""

    patient_id: str
    label: str
    source: str
    entropy: tuple[int, ...]
    """Seeds anatomy, lesion and slices."""

    def plane(self, index: int) -> str:
        """The plane of a slice; planes take turns from a random start."""
        return PLANES[(self.entropy[-1] + self.entropy[0] + index) % len(PLANES)]


def draw_patients(count: int, seed: int) -> list[Patient]:
    """Patients with balanced labels; the source does not depend on the label."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.resize([*KINDS, HEALTHY], count))
    sources = rng.choice(list(SCANNERS), count)
    return [
        Patient(f"p{number:04d}", str(labels[number]), str(sources[number]), (seed, number)) for number in range(count)
    ]


def render(patient: Patient, index: int, size: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_]]:
    """Render one slice.

    Args:
        patient: From `draw_patients`.
        index: Of the slice, from 0.
        size: Side in pixels.

    Returns:
        GreyImage uint8 [size, size] and mask of the tumour (without oedema) bool [size, size].
    """
    body, cut = (np.random.default_rng([*patient.entropy, part]) for part in (0, 1 + index))
    head = Head(body)
    # The healthy are sliced where a tumour of a random kind would be: the place of a slice tells nothing.
    kind = patient.label if patient.label != HEALTHY else str(body.choice(list(KINDS)))
    lesion: Lesion = KINDS[kind].draw(body)
    scanner, contrast = SCANNERS[patient.source], str(cut.choice(list(CONTRASTS), p=list(CONTRASTS.values())))
    points = _slice_points(patient.plane(index), lesion, cut, size, FIELD_OF_VIEW / scanner.zoom)
    tissue = head.paint(points, contrast)
    mask = np.zeros((size, size), bool)
    if patient.label != HEALTHY:
        mask = lesion.paint(tissue, points, head, contrast) > 0.5
    return scan(tissue, scanner, cut), mask


def _slice_points(plane: str, lesion: Lesion, rng: np.random.Generator, size: int, half: float) -> Map:
    """Patient coordinates float32 [3, size, size] of a slice near the lesion's centre, in a random pose."""
    half *= rng.uniform(0.94, 1.1)
    angle, (down, right) = float(np.deg2rad(rng.normal(0, 5))), rng.normal(0, 0.04, 2)
    v, u = np.mgrid[half : -half : size * 1j, -half : half : size * 1j].astype(np.float32)  # rows run downwards
    u, v = np.cos(angle) * u - np.sin(angle) * v + right, np.sin(angle) * u + np.cos(angle) * v + down
    axis = {"sagittal": 0, "coronal": 1, "axial": 2}[plane]
    level = np.full_like(u, lesion.centre[axis] + rng.uniform(-0.4, 0.4) * lesion.radius)
    below = v - 0.1  # upright planes show the neck: move them down
    axes = {"axial": (u, v, level), "coronal": (u, level, below), "sagittal": (level, -u, below)}
    return np.stack(axes[plane]).astype(np.float32)
