"""A frozen model on data from elsewhere: load, take classes together, refuse what it has seen, predict."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from omegaconf import DictConfig, OmegaConf, open_dict

from brain_tumor.config.instantiate import plain
from brain_tumor.data.attributes import attributes
from brain_tumor.data.duplicates.leakage import (
    duplicates_training_image,
    is_training_image,
    join_training_images,
    same_files,
)
from brain_tumor.data.images import Chosen as ImageRows
from brain_tumor.data.images import Images
from brain_tumor.data.loading import LoadedData, load
from brain_tumor.data.progress import progress
from brain_tumor.data.readers.reading import source_file
from brain_tumor.data.samples import read_table
from brain_tumor.errors import DataError
from brain_tumor.evaluation.calibration import scaled
from brain_tumor.evaluation.class_map import class_mapping, merged
from brain_tumor.evaluation.predictions import predictions_frame
from brain_tumor.serving.predictor import Predictor
from brain_tumor.training.data import loading_arguments


@dataclass(frozen=True)
class External:
    """What a model says of data that it has not seen."""

    table: pd.DataFrame
    """The predictions table: as the network gives its probabilities; of classes taken together, calibrated ones."""
    samples: pd.DataFrame
    """Row by row the same images."""
    images: Images
    """Row by row the same, uint8 [N, S, S]."""
    attributes: pd.DataFrame
    """Row by row, see `brain_tumor.data.attributes.attributes`."""
    overlap: dict[str, int | str]
    """What of it the model had seen: ``looked_for, files, copies, left_out``."""


def external(cfg: DictConfig, predictor: Predictor) -> External:
    """Predict the data that a configuration names.

    Raises:
        DataError: There are no such data, their classes are not the model's, or the model was trained on some of them.
    """
    bundle = predictor.bundle
    with open_dict(cfg):
        OmegaConf.update(cfg, "data.image_size", bundle.image_size, force_add=True)
    known = _known_samples(bundle.folder)
    data = _load(cfg, known)
    rows = np.flatnonzero(~is_training_image(data.samples))
    if cfg.published_split is not None:
        rows = _part(data.samples, rows, cfg.published_split)
    kept, overlap = _without_overlap(data, rows, known, bundle.seen, cfg.overlap)
    asked = cfg.class_map if isinstance(cfg.class_map, str | None) else plain(cfg.class_map)
    mapping = class_mapping(asked, bundle.classes, data.samples["label"].iloc[kept])
    samples = data.samples.iloc[kept].reset_index(drop=True)
    samples["label"] = samples["label"].map(mapping)
    images = ImageRows(data.images, kept)
    given = _probabilities(predictor, images, cfg.batch_size)
    as_trained = given if asked else scaled(given, 1 / bundle.temperature)  # what is added up must be calibrated first
    probabilities, classes = merged(as_trained, bundle.classes, mapping)
    return External(
        table=predictions_frame(samples, classes, probabilities),
        samples=samples,
        images=images,
        attributes=attributes(data.samples, data.facts, data.images, kept),
        overlap=overlap,
    )


def _known_samples(bundle: Path) -> pd.DataFrame | None:
    """What a run was trained and chosen on, if its bundle still lies in it and its files can be read."""
    table = bundle.parent / "samples.csv"
    if not table.is_file():
        return None
    samples = read_table(table)
    known = samples[samples["split"].isin(["train", "val"])].reset_index(drop=True)
    there = [source_file(path).is_file() for path in known["path"]]
    return known if all(there) else None


def _load(cfg: DictConfig, known: pd.DataFrame | None) -> LoadedData:
    arguments = loading_arguments(cfg)
    adapter = arguments["adapter"]
    if known is not None:
        arguments["adapter"] = lambda: join_training_images(known, adapter())
    return load(**arguments)


def _part(samples: pd.DataFrame, rows: npt.NDArray[np.int64], side: str) -> npt.NDArray[np.int64]:
    sides = samples["split"].iloc[rows]
    if not (sides == side).any():
        there = ", ".join(sorted(set(sides) - {""})) or "no split"
        raise DataError(f"The data have no published_split={side}; they are published with {there}.")
    return rows[(sides == side).to_numpy()]


def _without_overlap(
    data: LoadedData, rows: npt.NDArray[np.int64], known: pd.DataFrame | None, seen_files: frozenset[str], asked: str
) -> tuple[npt.NDArray[np.int64], dict[str, int | str]]:
    """The rows to test on, and what of them the model had seen."""
    looked_for = "copies" if known is not None else "files" if seen_files else "nothing"
    files = same_files(data.samples, seen_files)
    copies = duplicates_training_image(data.samples, data.pairs) | files
    seen = rows[copies[rows]]
    counts: dict[str, int | str] = {
        "looked_for": looked_for,
        "files": int(files[rows].sum()),
        "copies": len(seen),
        "left_out": len(seen) if asked == "leave_out" else 0,
    }
    if len(seen) and asked == "refuse":
        raise DataError(
            f"{len(seen)} of {len(rows)} images show what the model was trained or chosen on, first "
            f"{data.samples['sample_id'].iloc[seen[0]]!r}; an external test needs images that it has never seen. "
            "Leave them out with overlap=leave_out, or go on with overlap=allow, which the results will say."
        )
    kept = rows[~copies[rows]] if asked == "leave_out" else rows
    if not len(kept):
        raise DataError(f"All {len(rows)} images show what the model was trained or chosen on; none is left to test.")
    return kept, counts


def _probabilities(predictor: Predictor, images: Images, batch_size: int) -> npt.NDArray[np.float64]:
    starts = range(0, len(images), batch_size)
    batches = (images[list(range(start, min(start + batch_size, len(images))))] for start in starts)
    return np.concatenate([predictor.probabilities(batch) for batch in progress(batches, "Predicting", len(starts))])
