"""What several runs predict for the same images, averaged."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from scipy.special import expit, logit

from brain_tumor.data.progress import progress
from brain_tumor.errors import ConfigError
from brain_tumor.evaluation.calibration import calibrated, softmax
from brain_tumor.evaluation.map_boxes import Maps
from brain_tumor.evaluation.predictions import predictions_frame, read_predictions
from brain_tumor.pipelines.localization import read_maps
from brain_tumor.serving.bundle import Bundle
from brain_tumor.serving.engines import REFERENCE, open_engine
from brain_tumor.serving.files import read_images
from brain_tumor.serving.predictor import Predictor
from brain_tumor.types import Floats

SCORED = ("val", "test")
"""Splits that a run predicts."""


@dataclass(frozen=True)
class Joined:
    """Averaged predictions of a split."""

    table: pd.DataFrame
    """Predictions table; its column ``members`` counts the members that predicted each image."""
    maps: Maps | None
    """Logits of the mean of their maps, float32 [N, h, w]; None unless all members have one."""


@dataclass(frozen=True)
class _Predicted:
    """What one member predicts for M images."""

    table: pd.DataFrame
    probabilities: Floats
    """Calibrated, float64 [M, C], in the ensemble's order of classes."""
    maps: Maps | None
    """Probabilities, float32 [M, h, w]."""


def join(runs: Sequence[Path], members: Sequence[Bundle], split: str, *, mirrored: bool = False) -> Joined:
    """Average the calibrated predictions of a split, of those members for which an image was in that split.

    Args:
        runs: Run directories.
        members: Their bundles.
        split: ``val`` or ``test``.
        mirrored: Whether the members also predict the images mirrored left–right.

    Raises:
        ConfigError: Two members give an image two classes.
    """
    classes = members[0].classes
    found = [_predicted(run, member, split, classes) for run, member in zip(runs, members, strict=True)]
    if mirrored:
        found = [_with_mirrored(each, member, classes) for each, member in zip(found, members, strict=True)]
    columns = [f"p_{name}" for name in classes]
    tables = [each.table.assign(**dict(zip(columns, each.probabilities.T, strict=True))) for each in found]
    by_image = pd.concat(tables, ignore_index=True).groupby("sample_id", sort=False)
    labels = by_image["label"].nunique()
    if labels.max() > 1:
        first = labels.idxmax()
        raise ConfigError(f"The members of the ensemble give {first!r} two classes; train them on the same labels.")
    samples, mean = by_image.first().reset_index(), by_image[columns].mean()
    table = predictions_frame(samples, classes, mean.to_numpy(np.float64))
    return Joined(table.assign(members=by_image.size().to_numpy()), _mean_maps(found, pd.Index(table["sample_id"])))


def _predicted(run: Path, member: Bundle, split: str, classes: Sequence[str]) -> _Predicted:
    predictions = calibrated(read_predictions(run / "predictions" / f"{split}.csv"), member.temperature)
    order = [predictions.classes.index(name) for name in classes]
    maps = read_maps(run) if member.has_map else None
    return _Predicted(
        predictions.frame, predictions.probabilities[:, order], None if maps is None else expit(maps[split])
    )


def _with_mirrored(predicted: _Predicted, member: Bundle, classes: Sequence[str]) -> _Predicted:
    """Average predictions with those of the same images, mirrored left–right."""
    images = read_images(predicted.table["path"].tolist(), member.image_size, "Reading images to mirror")
    network = Predictor(member, open_engine(member, REFERENCE))
    mirrored = progress(np.ascontiguousarray(images[:, :, ::-1]), "Predicting mirrored images")
    logits, cells = network.logits_and_maps(mirrored)
    probabilities = softmax(logits, member.temperature)[:, [member.classes.index(name) for name in classes]]
    maps = predicted.maps
    if maps is not None and cells is not None:
        maps = np.asarray((maps + expit(cells[:, :, ::-1])) / 2, np.float32)
    return _Predicted(predicted.table, (predicted.probabilities + probabilities) / 2, maps)


def _mean_maps(members: Sequence[_Predicted], names: pd.Index) -> Maps | None:
    """Average maps, enlarged to the size of the finest, and give their logits.

    Args:
        members: What each member predicts.
        names: ``sample_id`` of N images.
    """
    if any(each.maps is None for each in members):
        return None
    height, width = max((each.maps.shape[1:] for each in members if each.maps is not None), key=np.prod)
    total, count = np.zeros((len(names), height, width), np.float32), np.zeros(len(names), np.int64)
    for row, cells in _by_row(members, names):
        total[row] += cv2.resize(cells, (width, height), interpolation=cv2.INTER_LINEAR)
        count[row] += 1
    return np.asarray(logit(np.clip(total / count[:, None, None], 1e-6, 1 - 1e-6)), np.float32)


def _by_row(members: Sequence[_Predicted], names: pd.Index) -> Iterator[tuple[int, Maps]]:
    for each in members:
        if each.maps is not None:
            yield from zip(names.get_indexer(pd.Index(each.table["sample_id"])), each.maps, strict=True)
