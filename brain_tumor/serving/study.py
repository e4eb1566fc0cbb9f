"""What a model says of files, folders and volumes, on disk or in memory."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd

from brain_tumor.data.readers.memory import MemoryFile
from brain_tumor.data.readers.reading import source_file
from brain_tumor.data.readers.volumes import ScanRules, find_scans
from brain_tumor.data.samples import samples_table
from brain_tumor.evaluation.volumes import by_volume
from brain_tumor.serving.answer import Answer, VolumeAnswer, verdict
from brain_tumor.serving.files import (
    PredictedImages,
    assess_images,
    find_images,
    natural_key,
    predict_images,
    predictions_of,
)
from brain_tumor.serving.inference import BATCH_SIZE
from brain_tumor.serving.predictor import Predictor

EVERY_SLICE = ScanRules.parse("every:1")
"""Each slice that holds enough brain."""


@dataclass(frozen=True)
class Study:
    """Answers for all that was given; every file of a known format is in one of the fields."""

    images: tuple[Answer, ...]
    """One per image and per slice of a volume."""
    volumes: tuple[VolumeAnswer, ...]
    """One per volume."""
    left_out: dict[str, str]
    """Name of a file or slice without an answer → why."""

    def to_dict(self) -> dict[str, Any]:
        """Return what JSON can hold."""
        return {
            "images": [answer.to_dict() for answer in self.images],
            "volumes": [answer.to_dict() for answer in self.volumes],
            "left_out": self.left_out,
        }


def study(
    predictor: Predictor,
    source: str | Path | Sequence[MemoryFile],
    rules: ScanRules = EVERY_SLICE,
    batch_size: int = BATCH_SIZE,
) -> Study:
    """Predict all images and volumes of a source.

    Args:
        predictor: Predictor of the model.
        source: A file, a slice of it (``FILE#SLICE``), a folder, or files in memory.
        rules: Which files and slices are taken.
        batch_size: Images per prediction.

    Raises:
        DataError: The path does not exist, or holds no image; files in memory that are none are left out.
    """
    if isinstance(source, str | Path):
        found = find_images(str(source), rules)
        samples = found.listing.samples
        predicted = predict_images(predictor, samples, batch_size)
        return answers(predictor, predicted, volumes_of(predicted.table, predictor), samples, found.listing.left_out)
    memory = {str(file): file for file in source}
    scans = find_scans(list(memory.values()), PurePosixPath(), rules)
    given = sorted(scans.rows, key=lambda row: natural_key(row["path"]))
    assessed = assess_images(predictor, [row["path"] for row in given], batch_size, memory)
    volumes: tuple[VolumeAnswer, ...] = ()
    if any(row.get("series") for row in given):  # tables take longer than one image
        samples = samples_table([{**row, "sample_id": row["path"]} for row in given])
        samples = samples.set_index("path", drop=False).loc[[row["path"] for row in given]].reset_index(drop=True)
        joined = volumes_of(predictions_of(predictor, samples, assessed), predictor)
        volumes = tuple(volume_answer(predictor, row) for _, row in joined.iterrows())
    rows = [given[row] for row in assessed.rows]
    images = tuple(
        predictor.answer(assessed.found, number, shape, row["path"], row.get("series", ""))
        for number, (row, shape) in enumerate(zip(rows, assessed.shapes, strict=True))
    )
    errors = {given[row]["path"]: str(error) for row, error in assessed.errors.items()}
    return Study(images, volumes, scans.left_out | _masks(row.get("mask_path", "") for row in given) | errors)


def volumes_of(table: pd.DataFrame, predictor: Predictor) -> pd.DataFrame:
    """Join the slices of each volume in a predictions table, see `brain_tumor.evaluation.volumes.by_volume`."""
    return by_volume(table, predictor.bundle.classes, predictor.bundle.volume_rule)


def answers(
    predictor: Predictor,
    predicted: PredictedImages,
    volumes: pd.DataFrame,
    samples: pd.DataFrame,
    left_out: Mapping[str, str],
) -> Study:
    """Make the answers for predicted images.

    Args:
        predictor: Predictor that predicted them.
        predicted: Their predictions.
        volumes: Table of `volumes_of` them.
        samples: Samples table of all images, those that cannot be read, too.
        left_out: Path of a file that is no sample → why.
    """
    table = predicted.table
    names = zip(predicted.shapes, table["sample_id"], table["series"], strict=True)
    images = (predictor.answer(predicted.found, row, *each) for row, each in enumerate(names))
    return Study(
        images=tuple(images),
        volumes=tuple(volume_answer(predictor, row) for _, row in volumes.iterrows()),
        left_out={
            **left_out,
            **_masks(samples["mask_path"]),
            **{name: str(error) for name, error in predicted.errors.items()},
        },
    )


def _masks(paths: Iterable[str]) -> dict[str, str]:
    return {source_file(path).as_posix(): "mask of another file" for path in paths if path}


def volume_answer(predictor: Predictor, row: "pd.Series[Any]") -> VolumeAnswer:
    """Make the answer for a row of `brain_tumor.evaluation.volumes.by_volume`."""
    bundle, empty = predictor.bundle, not row["prediction"]
    probabilities = row[[f"p_{name}" for name in bundle.classes]].to_numpy("float64")
    fields = verdict(bundle, probabilities, rejected=empty, point=predictor.point) | {"observed": None}  # of images
    if empty:  # every slice was rejected: nothing is left to predict from
        fields |= {"prediction": "", "probabilities": {}, "detection": None, "decision": None, "conformal_set": None}
    map_slice = row.get("map_slice", "")
    return VolumeAnswer(
        **fields,
        series=row["series"],
        patient=row["patient_id"],
        slices=int(row["slices"]),
        rejected=int(row["rejected"]),
        key_slice=row["key_slice"],
        map_slice="" if pd.isna(map_slice) else map_slice,
    )
