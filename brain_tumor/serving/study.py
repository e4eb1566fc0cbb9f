"""What a model says of files, folders and volumes, on disk or in memory."""

from collections.abc import Mapping, Sequence
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
from brain_tumor.serving.files import PredictedImages, find_images, predict_images
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
        samples, left_out, memory = found.listing.samples, found.listing.left_out, None
    else:
        memory = {str(file): file for file in source}
        scans = find_scans(list(memory.values()), PurePosixPath(), rules)
        samples, left_out = samples_table([{**row, "sample_id": row["path"]} for row in scans.rows]), scans.left_out
    predicted = predict_images(predictor, samples, batch_size, memory)
    return answers(predictor, predicted, volumes_of(predicted, predictor), samples, left_out)


def volumes_of(predicted: PredictedImages, predictor: Predictor) -> pd.DataFrame:
    """Join the slices of each volume, see `brain_tumor.evaluation.volumes.by_volume`."""
    return by_volume(predicted.table, predictor.bundle.classes, predictor.bundle.volume_rule)


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
    masks = {source_file(mask).as_posix(): "mask of another file" for mask in samples["mask_path"] if mask}
    return Study(
        images=tuple(images),
        volumes=tuple(volume_answer(predictor, row) for _, row in volumes.iterrows()),
        left_out=dict(left_out) | masks | {name: str(error) for name, error in predicted.errors.items()},
    )


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
