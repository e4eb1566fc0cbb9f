"""What tests of the server send."""

from pathlib import Path

from data.readers.clinical import ball, write_nifti, write_series
from factories import CENTRES, save


def write_scans(folder: Path) -> list[Path]:
    """Four images, a NIfTI volume and a DICOM series."""
    images = [save(folder / f"{label}.png", label, 7) for label in CENTRES]
    volume = write_nifti(folder / "t1.nii.gz", ball())
    write_series(folder / "series")
    return [*images, volume, *sorted((folder / "series").iterdir())]


def form(paths: list[Path]) -> list[tuple[str, tuple[str, bytes]]]:
    """Files as httpx sends them."""
    return [("files", (path.name, path.read_bytes())) for path in paths]
