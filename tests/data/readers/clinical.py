"""Writers of DICOM and NIfTI files for tests."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, MRImageStorage, RLELossless

from brain_tumor.data.readers import dicom
from brain_tumor.data.readers.grey import Reading
from brain_tumor.data.readers.reading import source_file
from brain_tumor.errors import DataError

SHIPPED = Path(pydicom.__file__).parent / "data" / "test_files"
RAMP = np.arange(-8, 8, dtype=np.int16).reshape(2, 8) * 100  # [2, 8]: height and width cannot be confused

NAME, NUMBER = "Mustermann^Erika", "K0815-4711"
ORIENTATIONS = {"axial": [1, 0, 0, 0, 1, 0], "coronal": [1, 0, 0, 0, 0, -1], "sagittal": [0, 1, 0, 0, 0, -1]}


def write_dicom(
    path: Path, pixels: np.ndarray, high_bit: int | None = None, syntax: str | None = None, **attributes: object
) -> Path:
    """Write pixels [H, W] or [frames, H, W] (grey), or [H, W, 3] (RGB), as an MR image with additional attributes."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian if syntax in (None, RLELossless) else syntax
    meta.MediaStorageSOPClassUID = MRImageStorage
    meta.MediaStorageSOPInstanceUID = "1.2.3"
    data = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    colour = pixels.ndim == 3 and pixels.shape[-1] == 3
    data.SOPClassUID, data.SOPInstanceUID = MRImageStorage, "1.2.3"
    data.PatientName, data.PatientID, data.StudyInstanceUID = NAME, NUMBER, "1.2.3.4"
    data.SeriesInstanceUID, data.InstanceNumber = "1.2.3.4.5", 1
    data.SamplesPerPixel, data.PhotometricInterpretation = (3, "RGB") if colour else (1, "MONOCHROME2")
    if colour:
        data.PlanarConfiguration = 0
    elif pixels.ndim == 3:
        data.NumberOfFrames = len(pixels)
    data.Rows, data.Columns = pixels.shape[-3:-1] if colour else pixels.shape[-2:]
    data.BitsAllocated = data.BitsStored = 8 * pixels.dtype.itemsize
    data.PixelRepresentation = int(pixels.dtype.kind == "i")
    data.PixelData = pixels.astype(pixels.dtype.newbyteorder(">" if syntax == ExplicitVRBigEndian else "<")).tobytes()
    data["PixelData"].VR = "OB" if pixels.dtype.itemsize == 1 else "OW"
    for keyword, value in attributes.items():
        setattr(data, keyword, value)
    data.HighBit = data.BitsStored - 1 if high_bit is None else high_bit
    if syntax == RLELossless:
        data.compress(RLELossless)
    path.parent.mkdir(parents=True, exist_ok=True)
    if syntax == ExplicitVRBigEndian:
        pydicom.dcmwrite(path, data, implicit_vr=False, little_endian=False, force_encoding=True)
    else:
        data.save_as(path, enforce_file_format=True)
    return path


def dataset(**attributes: object) -> Dataset:
    """Return a sequence item with the given attributes."""
    item = Dataset()
    for keyword, value in attributes.items():
        setattr(item, keyword, value)
    return item


def write_nifti(path: Path, values: np.ndarray, orientation: str = "RAS", voxel: float | tuple = 1.0) -> Path:
    """Write values [x, y, z] given in RAS+ order, stored in any orientation, such as LPS or ASR."""
    affine = np.diag([*np.broadcast_to(voxel, 3), 1.0])
    image = nib.Nifti1Image(values, affine)
    transform = nib.orientations.ornt_transform(nib.io_orientation(affine), nib.orientations.axcodes2ornt(orientation))
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(image.as_reoriented(transform), path)
    return path


def read_frame(path: Path, name: str = "") -> np.ndarray:
    return next(dicom.read(path, [name])).image


def read_or_error(path: Path, name: str = "") -> tuple[Reading | None, DataError | None]:
    """Read one frame of a DICOM file; return the reading or the error."""
    try:
        return next(dicom.read(path, [name])), None
    except DataError as error:
        return None, error


def assert_one_sentence(error: DataError, path: Path) -> None:
    assert str(error).startswith(f"{path} ")
    assert str(error).endswith(".")
    assert "\n" not in str(error)
    assert error.__suppress_context__  # the parser's message may quote the header


def ball(size: int = 20, centre: int = 11) -> np.ndarray:
    """Return int16 [size, size, size] with an octahedron, whose slices shrink away from ``centre`` in every plane."""
    grid = np.mgrid[:size, :size, :size]
    return (np.abs(grid - centre).sum(0) < 7).astype(np.int16) * 500


def write_series(folder: Path, plane: str = "axial", uid: str = "1.5", patient: str = NUMBER, shift: float = 0) -> None:
    """Write eight slices; the fourth from the patient's bottom, back or left is the largest; names are shuffled."""
    step = {"axial": (0, 0, 3), "coronal": (0, -3, 0), "sagittal": (-3, 0, 0)}[plane]
    for rank, name in enumerate(np.random.default_rng(0).permutation(8)):
        pixels = np.zeros((16, 16), np.int16)
        pixels[: 8 - abs(rank - 3), :10] = 100 + rank
        write_dicom(
            folder / f"IM{name}",
            pixels,
            SeriesInstanceUID=uid,
            PatientID=patient,
            InstanceNumber=int(name),
            ImageOrientationPatient=ORIENTATIONS[plane],
            ImagePositionPatient=[float(distance * rank + shift) for distance in step],
            WindowCenter=100,
            WindowWidth=200,
            Manufacturer="ACME",
            ManufacturerModelName="Magnet  2",
            MagneticFieldStrength=3,
            InstitutionName="St. Elsewhere",
        )


def rank_of(reference: str) -> int:
    """Return the position of a slice in a series that `write_series` wrote."""
    return int(pydicom.dcmread(source_file(reference)).pixel_array.max()) - 100
