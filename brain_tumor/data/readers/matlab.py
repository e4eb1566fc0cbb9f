"""Reader of the MATLAB v7.3 files of the figshare set: one struct ``cjdata`` with image, label, patient and mask."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from brain_tumor.data.readers.grey import Reading, scale_to_uint8
from brain_tumor.data.readers.memory import File, source
from brain_tumor.errors import DataError

MASK = "mask"
"""Name of the slice that is the tumour mask: ``FILE.mat#mask``; a file without a slice name is the image."""

_FIELDS = {"": "image", MASK: "tumorMask"}
_V5 = b"MATLAB 5.0"


@dataclass(frozen=True)
class Case:
    """Label and patient of the image in a file."""

    label: int
    """1, 2 or 3; the class it stands for is defined by the data set."""
    patient_id: str
    """Patient as written in the file, with suffix."""
    has_mask: bool
    """Whether ``FILE.mat#mask`` can be read."""


def read(file: File, slices: Sequence[str]) -> Iterator[Reading]:
    """Read images of a file: slice ``""`` is the image, ``"mask"`` the tumour mask as 0 and 255.

    Images are uint8 [height, width], upright as MATLAB shows them; the image is scaled so that 0 stays 0 and its
    maximum becomes 255.

    Raises:
        DataError: The file is damaged, has an older format or another layout, or has no such slice.
    """
    with _open_struct(file) as struct:
        for name in slices:
            if name not in _FIELDS:
                raise DataError(f"{file} has no slice {name!r}; expected none (the image) or {MASK!r}.")
            values = _read_matrix(struct, _FIELDS[name])
            image = scale_to_uint8(values) if name != MASK else np.where(values > 0, 255, 0).astype(np.uint8)
            yield Reading(image, "MATLAB", str(values.dtype))


def read_case(file: File) -> Case:
    """Read label, patient and whether there is a mask, without the images.

    Raises:
        DataError: As `read`.
    """
    with _open_struct(file) as struct:
        label = int(np.asarray(struct["label"][()]).item())
        patient = "".join(chr(int(code)) for code in np.asarray(struct["PID"][()]).ravel())
        return Case(label, patient.strip(), _FIELDS[MASK] in struct)


def _read_matrix(struct: Any, field: str) -> npt.NDArray[Any]:
    values = np.asarray(struct[field][()])
    if values.ndim != 2 or not values.size or not np.issubdtype(values.dtype, np.number):
        raise ValueError(f"cjdata.{field} is not a numeric matrix")
    return values.T  # MATLAB stores columns first


@contextmanager
def _open_struct(file: File) -> Iterator[Any]:
    """Open the struct ``cjdata``; replace any error while it is open by one sentence about ``file``."""
    try:
        with h5py.File(source(file)) as stored:
            yield stored["cjdata"]
    except DataError:
        raise
    except KeyError as error:
        raise DataError(
            f"{file} lacks a field of cjdata; expected image, label, PID and tumorMask as in the figshare files."
        ) from error
    except (OSError, ValueError, TypeError, RuntimeError, AttributeError) as error:  # raised by h5py on damaged files
        raise DataError(_describe(file, error)) from error


def _describe(file: File, error: Exception) -> str:
    with file.open("rb") as raw:
        if raw.read(len(_V5)) == _V5:
            return f"{file} is a MATLAB file of an older format; convert it with save(FILE, 'cjdata', '-v7.3')."
    reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
    return f"{file} cannot be read as a MATLAB v7.3 file ({reason}); download it again."
