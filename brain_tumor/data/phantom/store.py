"""Phantoms as files: generated in parallel at the first request, and kept."""

import hashlib
from pathlib import Path

import pandas as pd
from joblib import Parallel, delayed
from PIL import Image

from brain_tumor.data.labels import HEALTHY
from brain_tumor.data.phantom.patients import Patient, draw_patients, render
from brain_tumor.data.progress import progress
from brain_tumor.data.samples import read_table, samples_table, write_table
from brain_tumor.errors import DataError
from brain_tumor.run_dir.atomic import published_folder

VERSION = 5
"""Part of the folder's name: raise it when the same seed would give other images."""


def phantom(
    root: str | Path, *, patients: int = 800, slices: int = 3, size: int = 128, seed: int = 0, jobs: int = -1
) -> pd.DataFrame:
    """Generate phantoms below ``root``, unless they exist, and return their samples.

    The folder of the images also holds a ``samples.csv`` for ``data=manifest``.

    Args:
        root: Parent of the generated folders, one per set of arguments.
        patients: Number of patients, at least 12; classes are balanced.
        slices: Number of slices per patient.
        size: Side of the images in pixels, 32 to 512.
        seed: Seed of the patients; the same arguments give the same bytes, whatever ``jobs`` is.
        jobs: Number of processes; -1 uses all cores.

    Returns:
        Samples table with patient, source, plane and mask.

    Raises:
        DataError: An argument is out of range, or ``root`` cannot be written.
    """
    if not (patients >= 12 and slices >= 1 and 32 <= size <= 512):
        raise DataError(
            f"Invalid phantoms of {patients} patients with {slices} slices of {size} px: expected at least 12 patients "
            "and 1 slice, and 32 to 512 px."
        )
    key = hashlib.sha256(f"{VERSION} {patients} {slices} {size} {seed}".encode()).hexdigest()[:12]
    folder = Path(root).expanduser().absolute() / f"phantom-{key}"
    if not (folder / "samples.csv").is_file():
        _generate(folder, draw_patients(patients, seed), slices, size, jobs)
    table = read_table(folder / "samples.csv")
    for column in ("path", "mask_path"):
        table[column] = [str(folder / name) if name else "" for name in table[column]]
    return samples_table(table)


def _generate(folder: Path, patients: list[Patient], slices: int, size: int, jobs: int) -> None:
    with published_folder(folder) as draft:
        for name in ("images", "masks"):
            (draft / name).mkdir()
        chunks = [patients[start : start + 8] for start in range(0, len(patients), 8)]
        work = Parallel(n_jobs=jobs, return_as="generator")(
            delayed(_write_patients)(draft, chunk, slices, size) for chunk in chunks
        )
        rows = [row for chunk in progress(work, "Generating phantoms", len(chunks)) for row in chunk]
        write_table(pd.DataFrame(rows), draft / "samples.csv")


def _write_patients(folder: Path, patients: list[Patient], slices: int, size: int) -> list[dict[str, str]]:
    return [_write_slice(folder, patient, index, size) for patient in patients for index in range(slices)]


def _write_slice(folder: Path, patient: Patient, index: int, size: int) -> dict[str, str]:
    image, mask = render(patient, index, size)
    name = f"{patient.patient_id}-s{index}"
    Image.fromarray(image).save(folder / "images" / f"{name}.png")
    if patient.label != HEALTHY:
        Image.fromarray(mask).save(folder / "masks" / f"{name}.png")
    return {
        "sample_id": name,
        "path": f"images/{name}.png",
        "label": patient.label,
        "patient_id": patient.patient_id,
        "source": patient.source,
        "plane": patient.plane(index),
        "mask_path": "" if patient.label == HEALTHY else f"masks/{name}.png",
    }
