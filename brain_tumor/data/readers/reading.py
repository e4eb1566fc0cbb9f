"""Resolve references and read their images as grey uint8.

A reference is the path of a file, or ``FILE#SLICE`` for one slice of a volume (``scan.nii.gz#axial:57``).
"""

import importlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from brain_tumor.data.readers import raster
from brain_tumor.data.readers.grey import Reading
from brain_tumor.data.readers.memory import File, MemoryFile
from brain_tumor.errors import DataError
from brain_tumor.types import GreyImage

READING_VERSION = 4
"""Part of every cache key; increase it when the same file yields other pixels or facts."""

FORMATS = {
    **dict.fromkeys(raster.SUFFIXES, "raster"),
    **dict.fromkeys((".dcm", ".dicom", ".ima"), "dicom"),
    ".mat": "matlab",
    ".nii": "nifti",
    ".nii.gz": "nifti",
}
"""Suffix → module of `brain_tumor.data.readers` that reads it."""


def read_image(reference: str | Path) -> GreyImage:
    """Read one image as every verb sees it: grey, upright, with square pixels, before it is resized.

        from brain_tumor import read_image

        read_image("scan.png"), read_image("scan.nii.gz#axial:57"), read_image("multiframe.dcm#3")

    Args:
        reference: Path of an image (JPEG, PNG, TIFF, …), a DICOM file, a NIfTI volume or a MATLAB file of the figshare
            set; a slice of a volume is named behind ``#``: ``PLANE:INDEX`` of NIfTI, the frame's number of DICOM.

    Returns:
        uint8 [height, width], 0 black and 255 white.

    Raises:
        DataError: The file is missing, damaged or of a kind that is not supported, or has no such slice.
    """
    return next(read([str(Path(reference).expanduser())])).image


def read(references: Sequence[str], memory: Mapping[str, MemoryFile] | None = None) -> Iterator[Reading]:
    """Read several images of one file, which is opened once, in the order of the references.

    Args:
        references: References that differ in the slice alone.
        memory: Files that lie in memory, by name; others are looked for on disk. None: all are on disk.

    Raises:
        DataError: As `read_image`.
    """
    place = source_file(references[0])
    file = place if memory is None else memory.get(place.as_posix(), place)
    if not file.is_file():
        if place.is_dir():
            raise DataError(f"{file} is a folder; name one of its files, or run brain-tumor predict on it.")
        raise DataError(f"{file} does not exist.")
    name = format_of(file)
    if name is None:
        raise DataError(f"{file} is not an image; expected {', '.join(sorted(FORMATS))}, or DICOM of any name.")
    reader = importlib.import_module(f"brain_tumor.data.readers.{name}")
    yield from reader.read(file, [_split(reference)[1] for reference in references])


def source_file(reference: str | Path) -> Path:
    """Return the file of a reference, without the slice."""
    return Path(_split(str(reference))[0])


def _split(reference: str) -> tuple[str, str]:
    """Return file and slice; ``#`` separates them only if what precedes it is a scan and the whole reference is not."""
    if "#" not in reference:
        return reference, ""
    file, _, name = reference.rpartition("#")
    return (file, name) if is_scan(Path(file)) and not is_scan(Path(reference)) else (reference, "")


def is_scan(path: Path) -> bool:
    """Return whether a file can be read, judging by its name or, without a known suffix, by its first bytes."""
    return format_of(path) is not None


def format_of(path: File) -> str | None:
    """Return the module of `brain_tumor.data.readers` that reads a file, None if there is none.

    The suffix decides. A file without a known suffix is opened to recognise DICOM, because scanners write names such
    as ``IM000001`` or ``1.2.840.10008.1.2``. A DICOMDIR is an index of a medium and not a scan.
    """
    return _by_name(path) or ("dicom" if path.name.lower() != "dicomdir" and _has_dicom_magic(path) else None)


def _by_name(path: File) -> str | None:
    if path.name.lower().endswith(".nii.gz"):
        return FORMATS[".nii.gz"]
    return FORMATS.get(path.suffix.lower())


def _has_dicom_magic(path: File) -> bool:
    """Return whether a file begins as DICOM PS3.10, 7.1 defines: 128 arbitrary bytes, then DICM."""
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return file.read(132)[128:] == b"DICM"
    except (OSError, ValueError):  # ValueError: a name that no file can have
        return False


def named(content: bytes, name: str = "") -> MemoryFile:
    """Make a file in memory of the bytes of a file; a name without a known suffix gets one by what the bytes are.

    Args:
        content: Content of a file.
        name: Name it came with; only its parts count, no folder is left through ``..``.
    """
    parts = [part for part in PurePosixPath(name.replace("\\", "/")).parts if part not in ("/", "..", ".")]
    path = PurePosixPath(*parts) if parts else PurePosixPath("image")
    file = MemoryFile(path, content)
    return file if _by_name(file) else MemoryFile(path.with_name(path.name + _suffix(content)), content)


def _suffix(content: bytes) -> str:
    """Return the suffix of a kind of file that its first bytes tell; that of an ordinary image if none is told."""
    if content[128:132] == b"DICM":
        return ".dcm"
    if content.startswith(b"\x1f\x8b"):
        return ".nii.gz"
    return ".nii" if content[344:347] in (b"n+1", b"ni1") or content[4:7] in (b"n+2", b"ni2") else ".png"
