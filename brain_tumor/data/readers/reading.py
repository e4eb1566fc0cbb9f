"""One reference in, one grey uint8 image out.

A reference is the path of a file, or ``FILE#SLICE`` for one slice of a volume (``scan.nii.gz#axial:57``).
"""

import importlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from brain_tumor.data.readers import raster
from brain_tumor.data.readers.grey import Reading
from brain_tumor.errors import DataError

READING_VERSION = 3
"""Part of every cache key: raise it when the same file would yield other pixels or facts."""

FORMATS = {
    **dict.fromkeys(raster.SUFFIXES, "raster"),
    **dict.fromkeys((".dcm", ".dicom", ".ima"), "dicom"),
    ".mat": "matlab",
    ".nii": "nifti",
    ".nii.gz": "nifti",
}
"""Suffix → module of `brain_tumor.data.readers` that reads it."""


def is_scan(path: Path) -> bool:
    """Is this a file that can be read, by its name or as DICOM by its first bytes?"""
    return format_of(path) is not None


def source_file(reference: str | Path) -> Path:
    """The file that a reference names, without the slice."""
    return Path(_split(str(reference))[0])


def read_grey(reference: str | Path) -> npt.NDArray[np.uint8]:
    """Read one image, uint8 [height, width].

    Raises:
        DataError: The file is missing, truncated or nothing that is read, or it has no such slice.
    """
    return next(read([str(reference)])).image


def read(references: Sequence[str]) -> Iterator[Reading]:
    """Read several images out of one file, which is opened once; they come in the order of the references.

    Raises:
        DataError: As `read_grey`.
    """
    file = source_file(references[0])
    if not file.is_file():
        raise DataError(f"{file} does not exist.")
    name = format_of(file)
    if name is None:
        raise DataError(f"{file} is not an image ({', '.join(sorted(FORMATS))} and DICOM of any name are read).")
    yield from importlib.import_module(f"brain_tumor.data.readers.{name}").read(
        file, [_split(reference)[1] for reference in references]
    )


def _split(reference: str) -> tuple[str, str]:
    """File and slice; a ``#`` in a file's own name is told apart by the suffix before it."""
    if "#" not in reference:
        return reference, ""
    file, mark, name = reference.rpartition("#")
    return (file, name) if mark and is_scan(Path(file)) and not is_scan(Path(reference)) else (reference, "")


def format_of(path: Path) -> str | None:
    """The module of `brain_tumor.data.readers` for a file, None if there is none.

    The name tells; only of files without a known suffix a few bytes are looked at, since scanners name DICOM files
    ``IM000001`` or ``1.2.840.10008.1.2``. A DICOMDIR lists what lies on a medium; it is no scan.
    """
    name = path.name.lower()
    if name.endswith(".nii.gz"):
        return FORMATS[".nii.gz"]
    return FORMATS.get(path.suffix.lower()) or ("dicom" if name != "dicomdir" and _has_dicom_magic(path) else None)


def _has_dicom_magic(path: Path) -> bool:
    """DICOM PS3.10, 7.1: 128 bytes of anything, then DICM."""
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return file.read(132)[128:] == b"DICM"
    except (OSError, ValueError):  # ValueError: a name that no file can have
        return False
