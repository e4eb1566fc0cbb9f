"""Phantom patients: each has its own seed, so that any slice can be rendered alone, in any order."""

from dataclasses import dataclass

import numpy as np

from brain_tumor.data.labels import HEALTHY
from brain_tumor.data.phantom.anatomy import Head
from brain_tumor.data.phantom.imaging import SCANNERS, Map, scan
from brain_tumor.data.phantom.lesions import KINDS, Lesion
from brain_tumor.types import Flags, GreyImage

CONTRASTS = {"T1c": 0.7, "T1": 0.15, "T2": 0.15}
"""Contrast → probability that a slice has it."""
PLANES = ("axial", "coronal", "sagittal")
FIELD_OF_VIEW = 1.12
"""Half the side of an image at zoom 1, in patient units."""


@dataclass(frozen=True)
class Patient:
    """The properties that determine the slices of a patient."""

    patient_id: str
    """Pseudonym."""
    label: str
    """Class."""
    source: str
    """Site, a key of `brain_tumor.data.phantom.imaging.SCANNERS`."""
    entropy: tuple[int, ...]
    """Seed of anatomy, lesion and slices."""

    def plane(self, index: int) -> str:
        """Plane of slice ``index``; the planes alternate, starting with a random one."""
        return PLANES[(self.entropy[-1] + self.entropy[0] + index) % len(PLANES)]


def draw_patients(count: int, seed: int) -> list[Patient]:
    """Draw patients with balanced labels; the source is independent of the label."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.resize([*KINDS, HEALTHY], count))
    sources = rng.choice(list(SCANNERS), count)
    return [
        Patient(f"p{number:04d}", str(labels[number]), str(sources[number]), (seed, number)) for number in range(count)
    ]


def render(patient: Patient, index: int, size: int) -> tuple[GreyImage, Flags]:
    """Render one slice.

    Args:
        patient: Patient drawn by `draw_patients`.
        index: Number of the slice, from 0.
        size: Side of the image in pixels.

    Returns:
        Grey image uint8 [size, size] and mask of the tumour without oedema, bool [size, size].
    """
    patient_rng, slice_rng = (np.random.default_rng([*patient.entropy, stream]) for stream in (0, 1 + index))
    head = Head(patient_rng)
    # Healthy patients are sliced where a tumour of a random kind would be: the position must not reveal the class.
    kind = patient.label if patient.label != HEALTHY else str(patient_rng.choice(list(KINDS)))
    lesion: Lesion = KINDS[kind].draw(patient_rng)
    scanner, contrast = SCANNERS[patient.source], str(slice_rng.choice(list(CONTRASTS), p=list(CONTRASTS.values())))
    points = _slice_points(patient.plane(index), lesion, slice_rng, size, FIELD_OF_VIEW / scanner.zoom)
    tissue = head.paint(points, contrast)
    mask = np.zeros((size, size), bool)
    if patient.label != HEALTHY:
        mask = lesion.paint(tissue, points, head, contrast) > 0.5
    return scan(tissue, scanner, slice_rng), mask


def _slice_points(plane: str, lesion: Lesion, rng: np.random.Generator, size: int, half_side: float) -> Map:
    """Patient coordinates float32 [3, size, size] of a slice near the centre of the lesion, in a random pose."""
    half_side *= rng.uniform(0.94, 1.1)
    angle, (down, right) = float(np.deg2rad(rng.normal(0, 5))), rng.normal(0, 0.04, 2)
    # rows run downwards
    v, u = np.mgrid[half_side : -half_side : size * 1j, -half_side : half_side : size * 1j].astype(np.float32)
    u, v = np.cos(angle) * u - np.sin(angle) * v + right, np.sin(angle) * u + np.cos(angle) * v + down
    axis = {"sagittal": 0, "coronal": 1, "axial": 2}[plane]
    level = np.full_like(u, lesion.centre[axis] + rng.uniform(-0.4, 0.4) * lesion.radius)
    upright = v - 0.1  # coronal and sagittal slices show the neck: move them down
    axes = {"axial": (u, v, level), "coronal": (u, level, upright), "sagittal": (level, -u, upright)}
    return np.stack(axes[plane]).astype(np.float32)
