"""NIfTI volumes: slices in the patient's own directions, whatever way the file stores them."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
import numpy.typing as npt
from nibabel.affines import voxel_sizes

from brain_tumor.data.readers.grey import FOREGROUND, Reading, robust_range, share, square_pixels, to_grey
from brain_tumor.data.readers.guard import UnreadableError, guard, quiet

PLANES = ("sagittal", "coronal", "axial")
"""The plane across each axis of a volume in canonical (RAS+) order."""

_SLICE = re.compile(rf"({'|'.join(PLANES)}):([0-9]{{1,9}})(?::([0-9]{{1,9}}))?")


@dataclass(frozen=True)
class Layout:
    """What the header of a volume says."""

    shape: tuple[int, int, int]
    """Voxels towards the patient's right, front (anterior) and top (superior)."""
    voxel: tuple[float, float, float]
    """Their sizes in the same directions, mm."""
    volumes: int
    """1, or more for a series over time, echoes, directions, …"""
    stored: str
    """Dtype of the stored values."""

    @property
    def single(self) -> str:
        """The plane of a file that holds exactly one slice, else empty."""
        flat = [plane for plane, length in zip(PLANES, self.shape, strict=True) if length == 1]
        return flat[0] if len(flat) == 1 and self.volumes == 1 else ""


def read(file: Path, slices: Sequence[str]) -> Iterator[Reading]:
    """Read slices of a volume as grey images.

    A slice is ``PLANE:INDEX`` or ``PLANE:INDEX:VOLUME`` (``axial:57``, ``coronal:80:1``), counted from 0 towards the
    patient's right, front and top in the axis order closest to RAS+; without a volume the first is meant. Slice ``""``
    is the only one of a file that holds one.

    Images follow the radiological convention: axial with the front up, coronal with the head up, both with the
    patient's right on the image's left; sagittal with the head up and the face to the left. Pixels are made square.
    Grey is stretched over the whole volume (`robust_range`), so that slices of one compare; what is not finite is
    black.

    Raises:
        DataError: The file is damaged or empty, holds colour or complex values, or has no such slice.
    """
    volume, loaded = np.zeros((0, 0, 0), np.uint8), -1
    volumes, layout = _opened(file)
    for name in slices:
        with guard(file):
            plane, index, number = _parse(name, layout)
            if number != loaded:
                volume, loaded = _load(volumes, number), number
            axis = PLANES.index(plane)
            image = np.take(volume, index, axis)[::-1, ::-1].T
            wide, high = (size for other, size in enumerate(layout.voxel) if other != axis)
            reading = Reading(square_pixels(np.ascontiguousarray(image), high, wide), "NIFTI", layout.stored)
        yield reading


def layout(file: Path) -> Layout:
    """Read a volume's header.

    Raises:
        DataError: As `read`.
    """
    return _opened(file)[1]


def areas(file: Path, plane: str) -> list[float]:
    """How many voxels of each slice of the first volume show tissue.

    Raises:
        DataError: As `read`.
    """
    image, _ = _opened(file)
    with guard(file):
        tissue = _load(image, 0) > 255 * FOREGROUND
        others = tuple(axis for axis in range(3) if axis != PLANES.index(plane))
        return [float(area) for area in tissue.sum(others)]


def _opened(file: Path) -> tuple[nib.Nifti1Image, Layout]:
    with guard(file), quiet():
        image = nib.load(file)
        if not isinstance(image, nib.Nifti1Image):
            raise UnreadableError("is not an ordinary NIfTI volume (it may be CIFTI or another format)")
        dtype = image.get_data_dtype()
        if dtype.kind not in "iufb":
            raise UnreadableError("holds colour or complex values; save one grey number per voxel (a magnitude)")
        shape = (*image.shape, 1, 1)[: max(3, len(image.shape))]
        if 0 in shape or not image.shape:
            raise UnreadableError(f"is empty: its shape is {' × '.join(map(str, image.shape)) or 'not given'}")
        if any(length != 1 for length in shape[4:]):
            raise UnreadableError(f"has {len(shape)} dimensions; at most 4 are read")
        order = nib.io_orientation(image.affine)
        if not np.isfinite(image.affine).all() or not np.isfinite(order).all():
            raise UnreadableError("does not say how it lies in space (its affine cannot be used); mend the header")
        axes = [int(axis) for axis in np.argsort(order[:, 0])]
        sizes = voxel_sizes(image.affine)
        count = shape[3] if len(shape) > 3 else 1
        x, y, z = axes
        return image, Layout(
            (shape[x], shape[y], shape[z]), (float(sizes[x]), float(sizes[y]), float(sizes[z])), count, dtype.name
        )


def _parse(name: str, layout: Layout) -> tuple[str, int, int]:
    if name == "" and layout.single:
        return layout.single, 0, 0
    size = " × ".join(map(str, layout.shape))
    if name == "":
        raise UnreadableError(f"is a volume of {size} voxels; name a slice, as in #axial:{layout.shape[2] // 2}")
    match = _SLICE.fullmatch(name)
    if match is None:
        raise UnreadableError(f"has no slice {name[:40]!r}; expected PLANE:INDEX, as in #axial:{layout.shape[2] // 2}")
    plane, index, number = match[1], int(match[2]), int(match[3] or 0)
    length = layout.shape[PLANES.index(plane)]
    if index >= length or number >= layout.volumes:
        raise UnreadableError(
            f"has no slice {name!r}; it holds {length} {plane} slices and volumes: {layout.volumes}, counted from 0"
        )
    return plane, index, number


def _load(image: nib.Nifti1Image, number: int) -> npt.NDArray[np.uint8]:
    """Volume ``number`` as grey, uint8 [x, y, z] in canonical order."""
    proxy = image.dataobj
    part = tuple([number if axis == 3 else 0 if axis > 3 else slice(None) for axis in range(len(image.shape))])
    with np.errstate(all="ignore"):
        values = np.asarray(proxy[part] if len(image.shape) > 3 else proxy, np.float32)
        values = values.reshape((*values.shape, 1, 1)[:3])
        if not np.isfinite(values).any():
            raise UnreadableError("holds no finite value")
        grey = to_grey(share(values, *robust_range(values)))
    return np.asarray(nib.apply_orientation(grey, nib.io_orientation(image.affine)), np.uint8)
