"""Reader of NIfTI volumes: slices in patient coordinates, whatever the storage order of the file."""

import gzip
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import nibabel as nib
import numpy as np
import numpy.typing as npt
from nibabel.affines import voxel_sizes

from brain_tumor.data.readers.grey import (
    TISSUE_THRESHOLD,
    Reading,
    resample_to_square_pixels,
    rescale,
    robust_range,
    unit_to_uint8,
)
from brain_tumor.data.readers.memory import File, MemoryFile
from brain_tumor.data.readers.parser_errors import UnreadableError, as_data_error, silence_parsers
from brain_tumor.data.readers.slices import PLANES
from brain_tumor.types import GreyImage

Values = npt.NDArray[np.floating]

_MAX_LABEL, _MAX_LABELS, _UNIFORM = 255, 64, 0.9
"""A label map: its largest value, the number of its values, and the share of neighbours that are alike."""
_QUATERNION_TOLERANCE = -1e-3
"""Lowest value of 1 − b² − c² − d² that counts as 0; nibabel's own, 1e-7, refuses published files."""
_GZIP = b"\x1f\x8b"
_LONGEST_HEADER = 540
"""Bytes of the header of a NIfTI-2 file; that of NIfTI-1 is shorter."""
_SLICE = re.compile(rf"({'|'.join(PLANES)}):([0-9]{{1,9}})(?::([0-9]{{1,9}}))?")


@dataclass(frozen=True)
class Layout:
    """Geometry and data type of a volume, from its header."""

    shape: tuple[int, int, int]
    """Number of voxels along RAS+ axes: towards the patient's right, front (anterior) and top (superior)."""
    voxel_size: tuple[float, float, float]
    """Voxel sizes along the same axes, mm."""
    volumes: int
    """Number of volumes: 1, or more in a series over time, echoes, directions, …"""
    stored_type: str
    """Dtype of the stored values."""

    @property
    def single_slice_plane(self) -> str:
        """Plane of a file that contains exactly one slice, else empty."""
        flat = [plane for plane, length in zip(PLANES, self.shape, strict=True) if length == 1]
        return flat[0] if len(flat) == 1 and self.volumes == 1 else ""


def read(file: File, slices: Sequence[str]) -> Iterator[Reading]:
    """Read slices of a volume as grey images.

    A slice is ``PLANE:INDEX`` or ``PLANE:INDEX:VOLUME`` (``axial:57``, ``coronal:80:1``), counted from 0 towards the
    patient's right, front and top in the axis order closest to RAS+; the volume is 0 by default. Slice ``""`` is the
    only slice of a file that contains one.

    Images follow the radiological convention: axial with the front up, coronal with the head up, both with the
    patient's right on the left of the image; sagittal with the head up and the face to the left. Pixels are resampled
    to square ones. Grey values are stretched over the whole volume (`robust_range`), so that its slices are comparable;
    values that are not finite become black.

    Raises:
        DataError: The file is damaged or empty, contains colour or complex values, or has no such slice.
    """
    volume, loaded = np.zeros((0, 0, 0), np.uint8), -1
    nifti, layout = _open(file)
    for name in slices:
        with as_data_error(file):
            plane, index, number = _parse(name, layout)
            if number != loaded:
                volume, loaded = _load(nifti, number), number
            axis = PLANES.index(plane)
            image = np.take(volume, index, axis)[::-1, ::-1].T
            width, height = (size for other, size in enumerate(layout.voxel_size) if other != axis)
            image = resample_to_square_pixels(np.ascontiguousarray(image), height, width)
        yield Reading(image, "NIFTI", layout.stored_type)


def read_layout(file: File) -> Layout:
    """Read the header of a volume.

    Raises:
        DataError: As `read`.
    """
    return _open(file)[1]


def measure(file: File, plane: str) -> list[float]:
    """Measure the first volume of a file: 1 if it holds a label map, else 0, and then the tissue voxels in each slice.

    Raises:
        DataError: As `read`.
    """
    nifti, _ = _open(file)
    with as_data_error(file):
        values = _values(nifti, 0)
        tissue = _grey(nifti, values) > 255 * TISSUE_THRESHOLD
        in_plane_axes = tuple(axis for axis in range(3) if axis != PLANES.index(plane))
        return [float(_is_label_map(values)), *(float(area) for area in tissue.sum(in_plane_axes))]


def _is_label_map(values: Values) -> bool:
    """Whether values [x, y, z] are a few small whole numbers in large uniform regions, as no image has them."""
    if not np.isfinite(values).all() or values.min() < 0 or not 0 < values.max() <= _MAX_LABEL:
        return False
    labels = values.astype(np.uint8)
    if (labels != values).any() or np.count_nonzero(np.bincount(labels.ravel())) > _MAX_LABELS:
        return False
    left, right = labels[:-1], labels[1:]
    both = (left > 0) & (right > 0)
    return bool((left[both] == right[both]).mean() > _UNIFORM) if both.any() else True


class _Nifti1Header(nib.Nifti1Header):  # type: ignore[misc]  # nibabel has no types
    quaternion_threshold = _QUATERNION_TOLERANCE


class _Nifti2Header(nib.Nifti2Header):  # type: ignore[misc]  # nibabel has no types
    quaternion_threshold = _QUATERNION_TOLERANCE


class _Nifti1Image(nib.Nifti1Image):  # type: ignore[misc]  # nibabel has no types
    header_class = _Nifti1Header


class _Nifti2Image(nib.Nifti2Image):  # type: ignore[misc]  # nibabel has no types
    header_class = _Nifti2Header


def _load_file(file: File) -> nib.Nifti1Image:
    """Load a NIfTI file; a quaternion that rounding made a little too long, which nibabel refuses, is accepted."""
    if isinstance(file, MemoryFile):
        return _load_content(file.content)
    try:
        return nib.load(file)
    except ValueError:
        for kind in (_Nifti1Image, _Nifti2Image):
            if kind.path_maybe_image(file)[0]:
                return kind.from_filename(file)
        raise


def promised(file: MemoryFile) -> tuple[int, int]:
    """Return the number of slices of a file in memory and of its voxels, from its header alone.

    Slices are counted along its longest axis, whichever plane they are cut in.

    Raises:
        DataError: The header is damaged.
    """
    with as_data_error(file), silence_parsers():
        shape = [int(length) for length in _header(file.content)[1].get_data_shape()]
        return max(shape, default=0), math.prod(shape)


def _load_content(content: bytes) -> nib.Nifti1Image:
    """Load the content of a NIfTI file; of a compressed one no more is unpacked than its header promises."""
    kind, header, start, stream = _header(content)
    values = math.prod(int(length) for length in header.get_data_shape()) * header.get_data_dtype().itemsize
    rest = int(header["vox_offset"]) + values - len(start)
    return kind.from_bytes(start + stream.read(max(0, rest)))


def _header(content: bytes) -> tuple[Any, Any, bytes, BytesIO | gzip.GzipFile]:
    """Return the class and header of a NIfTI file, its first bytes, and a stream of those that follow."""
    stream: BytesIO | gzip.GzipFile = BytesIO(content)
    if content.startswith(_GZIP):
        stream = gzip.GzipFile(fileobj=BytesIO(content))
    start = stream.read(_LONGEST_HEADER)
    kind = _Nifti2Image if _Nifti2Header.may_contain_header(start) else _Nifti1Image
    return kind, kind.header_class.from_fileobj(BytesIO(start)), start, stream


def _open(file: File) -> tuple[nib.Nifti1Image, Layout]:
    with as_data_error(file), silence_parsers():
        nifti = _load_file(file)
        if not isinstance(nifti, nib.Nifti1Image):
            raise UnreadableError("is not a NIfTI volume (but CIFTI or another format); convert it to NIfTI")
        dtype = nifti.get_data_dtype()
        if dtype.kind not in "iufb":
            raise UnreadableError(
                "contains colour or complex values; expected one real number per voxel; export magnitudes"
            )
        shape = (*nifti.shape, 1, 1)[: max(3, len(nifti.shape))]
        if 0 in shape or not nifti.shape:
            raise UnreadableError(f"is empty (shape: {' × '.join(map(str, nifti.shape)) or 'none'}); export it again")
        if any(length != 1 for length in shape[4:]):
            raise UnreadableError(f"has {len(shape)} dimensions; expected at most 4")
        orientation = nib.io_orientation(nifti.affine)
        if not np.isfinite(nifti.affine).all() or not np.isfinite(orientation).all():
            raise UnreadableError("has no valid orientation (its affine matrix is unusable); correct the header")
        x, y, z = (int(axis) for axis in np.argsort(orientation[:, 0]))
        sizes = voxel_sizes(nifti.affine)
        return nifti, Layout(
            shape=(shape[x], shape[y], shape[z]),
            voxel_size=(float(sizes[x]), float(sizes[y]), float(sizes[z])),
            volumes=shape[3] if len(shape) > 3 else 1,
            stored_type=dtype.name,
        )


def _parse(name: str, layout: Layout) -> tuple[str, int, int]:
    """Return plane, index and volume number of a slice name."""
    if name == "" and layout.single_slice_plane:
        return layout.single_slice_plane, 0, 0
    example = f"#axial:{layout.shape[2] // 2}"
    if name == "":
        size = " × ".join(map(str, layout.shape))
        raise UnreadableError(f"is a volume of {size} voxels; name a slice, for example {example}")
    match = _SLICE.fullmatch(name)
    if match is None:
        raise UnreadableError(f"has no slice {name[:40]!r}; expected PLANE:INDEX, for example {example}")
    plane, index, number = match[1], int(match[2]), int(match[3] or 0)
    length = layout.shape[PLANES.index(plane)]
    if index >= length or number >= layout.volumes:
        volumes = "volume 0" if layout.volumes == 1 else f"volumes 0 to {layout.volumes - 1}"
        raise UnreadableError(f"has no slice {name!r}; expected {plane}:0 to {plane}:{length - 1} of {volumes}")
    return plane, index, number


def _load(nifti: nib.Nifti1Image, number: int) -> GreyImage:
    """Load one volume as grey, uint8 [x, y, z] in RAS+ order."""
    return _grey(nifti, _values(nifti, number))


def _values(nifti: nib.Nifti1Image, number: int) -> Values:
    """Load the values of one volume, float [x, y, z] in the order of the file.

    Differences of large numbers survive: values that single precision might not hold are shifted to their minimum
    before they are converted.
    """
    proxy = nifti.dataobj
    index = tuple([number if axis == 3 else 0 if axis > 3 else slice(None) for axis in range(len(nifti.shape))])
    stored = nifti.get_data_dtype()
    is_shifted = abs(proxy.inter) > 2**16 * abs(proxy.slope)
    dtype = None if is_shifted or (stored.itemsize > 2 and stored != np.float32) else np.float32
    with np.errstate(all="ignore"):
        values = np.asarray(proxy[index] if len(nifti.shape) > 3 else proxy, dtype)
        values = values.reshape((*values.shape, 1, 1)[:3])
        if dtype is None:
            finite = np.isfinite(values)
            values = values - (values[finite].min() if finite.any() else 0)
        values = values.astype(np.float32, copy=False)
    if not np.isfinite(values).any():
        raise UnreadableError("contains no finite value; export it again")
    return values


def _grey(nifti: nib.Nifti1Image, values: Values) -> GreyImage:
    """Convert values to grey, uint8 [x, y, z] in RAS+ order."""
    with np.errstate(all="ignore"):
        grey = unit_to_uint8(rescale(values, *robust_range(values)))
    return np.asarray(nib.apply_orientation(grey, nib.io_orientation(nifti.affine)), np.uint8)
