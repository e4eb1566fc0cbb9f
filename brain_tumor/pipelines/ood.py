"""The OOD detector of a run: fitted on validation, applied to test, and measured on images that are no scans."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from brain_tumor.data.images import Images
from brain_tumor.errors import DataError
from brain_tumor.evaluation.ood.detector import Numbers, OODDetector
from brain_tumor.evaluation.ood.fit import FittedDetector, fit_ood_detector, require_enough
from brain_tumor.evaluation.ood.outliers import outliers
from brain_tumor.evaluation.ood.test_sets import ood_sets
from brain_tumor.evaluation.predictions import Predictions, with_ood_scores
from brain_tumor.run_dir.atomic import published_file
from brain_tumor.serving.bundle import OOD_DETECTOR
from brain_tumor.training.predict import Predicted
from brain_tumor.types import Floats, GreyImage

_FITTED, _TESTED = 100, 50
"""Number of OOD images of each kind that a detector is fitted on, and that it is tested on."""


@dataclass(frozen=True)
class OODTest:
    """Predictions tables with OOD scores, and what the detector makes of OOD images."""

    tables: dict[str, pd.DataFrame]
    """Split → predictions table."""
    scores: dict[str, Floats]
    """Name of an OOD set → OOD scores of its images; empty without a detector."""
    notes: list[str]
    """Sentences for readers: if val is too small for a detector, a note says so."""


def add_ood_scores(
    predicted: dict[str, Predicted],
    images: Mapping[str, Images],
    outputs: Callable[[GreyImage], tuple[Numbers, Numbers]],
    run_dir: Path,
    reject_share: float,
    seed: int,
) -> OODTest:
    """Fit the detector on val, write ``ood_detector.safetensors``, add its scores to the predictions tables, test it.

    The score of a val image comes from a detector that was fitted without the image's group, so that val and test
    scores can be compared.

    Args:
        predicted: Split → outputs of the network.
        images: Split → images uint8 [N, S, S].
        outputs: Function from images uint8 [M, S, S] to features [M, D] and logits [M, C].
        run_dir: Run directory.
        reject_share: Share of scans that the detector may reject.
        seed: Seed of the folds and of the OOD images.
    """
    try:
        fitted = _fit(predicted["val"], images["val"], outputs, reject_share, seed)
    except DataError as error:
        tables = {split: with_ood_scores(each.table, None) for split, each in predicted.items()}
        return OODTest(tables, {}, [f"There is no OOD detector: {error}"])
    detector = fitted.detector
    with published_file(run_dir / OOD_DETECTOR) as draft:
        draft.write_bytes(detector.to_bytes())
    scores = {"val": fitted.ood_score}
    tables = {
        split: with_ood_scores(each.table, scores.get(split, detector.ood_score(each.features, each.logits)))
        for split, each in predicted.items()
    }
    return OODTest(tables, _test(detector, images["test"], outputs, seed), [])


def _fit(
    val: Predicted,
    images: Images,
    outputs: Callable[[GreyImage], tuple[Numbers, Numbers]],
    reject_share: float,
    seed: int,
) -> FittedDetector:
    groups = Predictions.from_frame(val.table).groups
    require_enough(groups, reject_share)
    examples, _ = outputs(outliers(_some(images, 5 * _FITTED, seed), _FITTED, seed))
    return fit_ood_detector(val.features, val.logits, groups, examples, reject_share=reject_share, seed=seed)


def _test(
    detector: OODDetector, images: Images, outputs: Callable[[GreyImage], tuple[Numbers, Numbers]], seed: int
) -> dict[str, Floats]:
    scans = _some(images, 5 * _TESTED, seed)
    sets = ood_sets(scans.shape[1], _TESTED, seed, scans)
    return {name: detector.ood_score(*outputs(set_images)) for name, set_images in sets.items()}


def _some(images: Images, count: int, seed: int) -> GreyImage:
    """Draw images, so that not all of a large split are read."""
    rows = np.sort(np.random.default_rng(seed).permutation(len(images))[:count])
    return np.asarray(images[rows], np.uint8)
