"""The MATLAB v7.3 files of the figshare set: one struct ``cjdata`` with image, label, patient and mask."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from brain_tumor.data.readers.grey import Reading, scale_to_uint8
from brain_tumor.errors import DataError

MASK = "mask"
"""Name of the slice that is the tumour's mask: ``FILE.mat#mask``; without a name the image is meant."""

_FIELDS = {"": "image", MASK: "tumorMask"}
_V5 = b"MATLAB 5.0"


@dataclass(frozen=True)
class Case:
    """What a file says of its image."""

    label: int
    """1, 2 or 3; what they mean is the set's affair."""
    patient_id: str
    """As written, suffix and all."""
    has_mask: bool
    """Whether ``FILE.mat#mask`` can be read."""


def read(file: Path, slices: Sequence[str]) -> Iterator[Reading]:
    """Read images of a file: slice ``""`` is the image, ``"mask"`` the tumour's mask as 0 and 255.

    Images are upright as MATLAB shows them, uint8 [height, width]; the image is scaled so that 0 stays black and its
    maximum becomes 255.

    Raises:
        DataError: The file is damaged, of an older format, or not laid out so, or it has no such slice.
    """
    with _opened(file) as data:
        for name in slices:
            if name not in _FIELDS:
                raise DataError(f"{file} has no slice {name!r}; it has the image itself and {MASK!r}.")
            values = _plane(data, _FIELDS[name])
            image = scale_to_uint8(values) if name != MASK else np.where(values > 0, 255, 0).astype(np.uint8)
            yield Reading(image, "MATLAB", str(values.dtype))


def read_case(file: Path) -> Case:
    """Read label, patient and whether there is a mask; the images are left alone.

    Raises:
        DataError: As `read`.
    """
    with _opened(file) as data:
        label = int(np.asarray(data["label"][()]).item())
        patient = "".join(chr(int(code)) for code in np.asarray(data["PID"][()]).ravel())
        return Case(label, patient.strip(), _FIELDS[MASK] in data)


def _plane(data: Any, field: str) -> npt.NDArray[Any]:
    values = np.asarray(data[field][()])
    if values.ndim != 2 or not values.size or not np.issubdtype(values.dtype, np.number):
        raise ValueError(f"cjdata.{field} is no image")
    return values.T  # MATLAB stores columns first


@contextmanager
def _opened(file: Path) -> Iterator[Any]:
    """The struct ``cjdata``; what goes wrong while it is open becomes one sentence."""
    try:
        with h5py.File(file) as stored:
            yield stored["cjdata"]
    except DataError:
        raise
    except KeyError as error:
        raise DataError(
            f"{file} is not laid out as the figshare files: it lacks a field of cjdata (image, label, PID, tumorMask)."
        ) from error
    except (OSError, ValueError, TypeError, RuntimeError, AttributeError) as error:  # h5py's ways to say "corrupt"
        raise DataError(_why(file, error)) from error


def _why(file: Path, error: Exception) -> str:
    with file.open("rb") as raw:
        if raw.read(len(_V5)) == _V5:
            return f"{file} is a MATLAB file of an older format; save it anew with save(FILE, 'cjdata', '-v7.3')."
    reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
    return f"{file} cannot be read as a MATLAB v7.3 file ({reason}); fetch it again."
