"""A frozen model on external data: load them, merge classes, refuse images of its training, predict."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from omegaconf import DictConfig, OmegaConf, open_dict

from brain_tumor.config.instantiate import plain
from brain_tumor.data.attributes import attributes
from brain_tumor.data.duplicates.leakage import (
    duplicates_training_image,
    is_training_image,
    join_training_images,
    same_files,
    shows_training_patient,
)
from brain_tumor.data.images import ImageRows, Images
from brain_tumor.data.listing import Listing, file_counts
from brain_tumor.data.loaded_data import LoadedData, load
from brain_tumor.data.masks import TumourMasks
from brain_tumor.data.progress import progress
from brain_tumor.data.readers.reading import source_file
from brain_tumor.data.samples import read_table
from brain_tumor.errors import DataError
from brain_tumor.evaluation.calibration import softmax
from brain_tumor.evaluation.class_map import class_mapping, merge_classes
from brain_tumor.evaluation.localization import references, with_localization
from brain_tumor.evaluation.predictions import Predictions, predictions_frame
from brain_tumor.serving.predictor import Predictor
from brain_tumor.training.data_from_config import loading_arguments
from brain_tumor.types import Rows


@dataclass(frozen=True)
class External:
    """External data with a model's predictions, row by row the same images."""

    table: pd.DataFrame
    """Predictions table at temperature 1; with a class map, sums of calibrated probabilities."""
    samples: pd.DataFrame
    """Samples table."""
    images: Images
    """uint8 [N, S, S]."""
    attributes: pd.DataFrame
    """Attributes of the images, see `brain_tumor.data.attributes.attributes`."""
    files: dict[str, Any]
    """Counts of files, see `brain_tumor.data.listing.file_counts`."""
    localization: dict[str, Any]
    """Threshold, grid and references of the map, see `brain_tumor.pipelines.localization.Localization`; or empty."""
    overlap: dict[str, int | str]
    """Overlap with the model's training images: ``looked_for, files, copies, same_patient, left_out``. ``same_patient``
    counts images of patients of training images, as far as patients are known, that are no duplicates."""


def external(cfg: DictConfig, predictor: Predictor) -> External:
    """Predict the data that a configuration names.

    Raises:
        DataError: The data cannot be loaded, their classes are not the model's, or it was trained on some of them.
    """
    bundle = predictor.bundle
    with open_dict(cfg):
        OmegaConf.update(cfg, "data.image_size", bundle.image_size, force_add=True)
    training = _training_samples(bundle.folder)
    data = _load(cfg, training)
    rows = np.flatnonzero(~is_training_image(data.samples))
    if cfg.published_split is not None:
        rows = _published(data.samples, rows, cfg.published_split)
    kept, overlap = _without_overlap(data, rows, training, bundle.training_digests, cfg.overlap)
    class_map = cfg.class_map if isinstance(cfg.class_map, str | None) else plain(cfg.class_map)
    mapping = class_mapping(class_map, bundle.classes, data.samples["label"].iloc[kept])
    samples = data.samples.iloc[kept].reset_index(drop=True)
    samples["label"] = samples["label"].map(mapping)
    images = ImageRows(data.images, kept)
    one_by_one = (images[row] for row in range(len(images)))
    logits, maps = predictor.logits_and_maps(progress(one_by_one, "Predicting", len(images)), cfg.batch_size)
    temperature = 1.0 if class_map is None else bundle.temperature  # only calibrated probabilities may be added up
    probabilities, classes = merge_classes(softmax(logits, temperature), bundle.classes, mapping)
    table, localization = predictions_frame(samples, classes, probabilities), dict[str, Any]()
    if maps is not None:
        masks, threshold = TumourMasks(samples, bundle.image_size), predictor.map_threshold
        table = with_localization(table, maps, masks.__getitem__, images, threshold)
        test = references(Predictions.from_frame(table))
        localization = {"threshold": threshold, "grid": list(maps.shape[1:]), "test": test}
    return External(
        table=table,
        localization=localization,
        samples=samples,
        images=images,
        attributes=attributes(data.samples, data.facts, data.images, kept),
        files=_own_files(data),
        overlap=overlap,
    )


def _training_samples(bundle: Path) -> pd.DataFrame | None:
    """Return the samples of train and val, if the bundle is in its run directory and their files still exist."""
    table = bundle.parent / "samples.csv"
    if not table.is_file():
        return None
    samples = read_table(table)
    training = samples[samples["split"].isin(["train", "val"])].reset_index(drop=True)
    return training if all(source_file(path).is_file() for path in training["path"]) else None


def _load(cfg: DictConfig, training: pd.DataFrame | None) -> LoadedData:
    arguments = loading_arguments(cfg)
    adapter = arguments["adapter"]
    if training is not None:
        arguments["adapter"] = lambda: _joined(training, adapter())
    return load(**arguments)


def _joined(training: pd.DataFrame, listing: Listing) -> Listing:
    return listing._replace(samples=join_training_images(training, listing.samples))


def _own_files(data: LoadedData) -> dict[str, Any]:
    """Count the files of the external data, without those of the training images."""
    files = data.samples["path"].map(lambda reference: str(source_file(reference)))
    of_training = is_training_image(data.samples)
    return file_counts(data.files[~data.files["path"].isin(set(files[of_training]) - set(files[~of_training]))])


def _published(samples: pd.DataFrame, rows: Rows, split: str) -> Rows:
    splits = samples["split"].iloc[rows]
    if not (splits == split).any():
        published = ", ".join(sorted(set(splits) - {""})) or "no split"
        raise DataError(f"Invalid published_split={split}: expected one of {published}, the splits of these data.")
    return rows[(splits == split).to_numpy()]


def _without_overlap(
    data: LoadedData, rows: Rows, training: pd.DataFrame | None, digests: frozenset[str], policy: str
) -> tuple[Rows, dict[str, int | str]]:
    """Return the rows to test on, and counts of the overlap with the model's training images."""
    looked_for = "copies" if training is not None else "files" if digests else "nothing"
    files = same_files(data.samples, digests)
    copies = duplicates_training_image(data.samples, data.pairs) | files
    same_patient = shows_training_patient(data.samples) & ~copies
    overlapping = rows[(copies | same_patient)[rows]]
    counts: dict[str, int | str] = {
        "looked_for": looked_for,
        "files": int(files[rows].sum()),
        "copies": int(copies[rows].sum()),
        "same_patient": int(same_patient[rows].sum()),
        "left_out": len(overlapping) if policy == "leave_out" else 0,
    }
    if len(overlapping) and policy == "refuse":
        first = data.samples["sample_id"].iloc[overlapping[0]]
        raise DataError(
            f"{describe_overlap(counts, len(rows))}, first {first!r}; an external test needs new images of other "
            "patients. "
            "Leave them out with overlap=leave_out, or continue with overlap=allow, which the results then state."
        )
    kept = np.setdiff1d(rows, overlapping) if policy == "leave_out" else rows
    if not len(kept):
        raise DataError(f"{describe_overlap(counts, len(rows))}; no image is left for an external test.")
    return kept, counts


def describe_overlap(counts: Mapping[str, int | str], images: int) -> str:
    """Say how many of the images overlap with the model's training images.

    Args:
        counts: See `External.overlap`.
        images: Number of images, with those that overlap.
    """
    return (
        f"{counts['copies']} of {images} images are duplicates of images that the model was trained or selected on, "
        f"and {counts['same_patient']} more show a patient of these images"
    )
