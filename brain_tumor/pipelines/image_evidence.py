"""Evidence that needs images: how a model bears corruption, where it looks, and what it gets most wrong."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from brain_tumor.data.baseline import neighbours
from brain_tumor.data.images import Images
from brain_tumor.data.masks import read_masks
from brain_tumor.data.progress import progress
from brain_tumor.evaluation.explain.gallery import (
    ErrorRecord,
    error_records,
    errors_figure,
    example_rows,
    examples_figure,
    with_nearest,
)
from brain_tumor.evaluation.explain.pointing_game import correctly_classified_tumours, evaluate_pointing
from brain_tumor.evaluation.explain.saliency import SaliencyMaps, saliency_maps
from brain_tumor.evaluation.explain.weight_randomization import weight_randomization_test
from brain_tumor.evaluation.ood.evaluation import evaluate_detector, ood_figure
from brain_tumor.evaluation.ood.test_sets import ood_sets
from brain_tumor.evaluation.predictions import Predictions
from brain_tumor.evaluation.report.figures import FigureFiles
from brain_tumor.evaluation.report.plots import save_figure
from brain_tumor.evaluation.robustness.figures import robustness_curves
from brain_tumor.evaluation.robustness.scoring import CHUNK, RobustnessTest, stratified
from brain_tumor.evaluation.robustness.sweep import robustness
from brain_tumor.evaluation.robustness.tta import augmented
from brain_tumor.serving.engines.eager import network_of
from brain_tumor.serving.predictor import Predictor
from brain_tumor.types import GreyImage, Rows

_CHECKED = 32
"""Images that the weight-randomisation check looks at: it asks for a map of each for every stage of the network."""
_NEAREST = 3
_FOREIGN = 100
"""Images in each set of foreign ones."""


@dataclass(frozen=True)
class Known:
    """Training images, among which the nearest to a mistake are looked for."""

    samples: pd.DataFrame
    """Of all images."""
    images: Images
    """uint8 [M, S, S], row by row the same."""
    views: Images
    """Fingerprints, row by row the same."""
    test: Rows
    """Their rows that are the test's, in the order of its table."""


@dataclass(frozen=True)
class Shown:
    """Images of the test, and a model that can be asked about them."""

    predictor: Predictor
    samples: pd.DataFrame
    """Row by row those of the test table."""
    images: Images
    """uint8 [N, S, S], row by row the same."""
    known: Known | None = None
    """None: training images are not at hand."""


@dataclass
class Seen:
    """What came of it."""

    results: dict[str, Any] = field(default_factory=dict)
    """Entries of ``results.json``: ``robustness tta ood saliency mistakes``."""
    figures: FigureFiles = field(default_factory=dict)


def look(
    shown: Shown,
    test: Predictions,
    folder: Path,
    *,
    limit: int,
    resamples: int,
    seed: int,
    ood_images: GreyImage | None = None,
) -> Seen:
    """Ask the model about images of the test.

    Args:
        shown: The images.
        test: The test's table.
        folder: Of the figures.
        limit: Images that each question looks at; of more some are drawn, by class.
        resamples: Behind each interval.
        seed: Of draws and corruptions.
        ood_images: Images uint8 [M, S, S] of one's own that the detector should reject.
    """
    folder.mkdir(parents=True, exist_ok=True)
    seen = Seen()

    def draw(section: str, caption: str, name: str, figure: Figure | None) -> None:
        if figure is not None:
            save_figure(figure, folder / f"{name}.png")
            seen.figures.setdefault(section, {})[caption] = folder / f"{name}.png"

    robustness_test = RobustnessTest(
        partial(shown.predictor.probabilities, batch_size=CHUNK),
        shown.images,
        test.labels,
        test.classes,
        test.groups,
        limit=limit,
        seed=seed,
        resamples=resamples,
    )
    seen.results["robustness"] = robustness(robustness_test)
    seen.results["tta"] = augmented(robustness_test)
    curves = robustness_curves(seen.results["robustness"])
    draw("robustness", "Scores of corrupted images (test)", "robustness", curves)
    if shown.predictor.bundle.ood_detector:
        seen.results["ood"] = _ood(shown, test, limit, resamples, seed, ood_images, draw)
    explain = _Maps(shown)
    seen.results["saliency"] = _saliency(shown, test, explain, limit, resamples, seed, draw)
    seen.results["mistakes"] = _mistakes(shown, test, explain, draw)
    return seen


def _ood(
    shown: Shown,
    test: Predictions,
    limit: int,
    resamples: int,
    seed: int,
    own: GreyImage | None,
    draw: Callable[[str, str, str, Figure | None], None],
) -> dict[str, Any]:
    rows = stratified(test.labels, limit, seed)
    scans, size = shown.images[rows], shown.predictor.bundle.image_size
    sets = ood_sets(size, min(limit, _FOREIGN), seed, scans) | ({} if own is None else {"your own": own})
    scores = {
        name: shown.predictor.assess(progress(images, f"OOD scores of {name}")).ood_score
        for name, images in {"scans": scans, **sets}.items()
    }
    known = {name: score for name, score in scores.items() if score is not None}
    of_scans = known.pop("scans")
    draw(
        "ood",
        "How foreign the detector finds scans of the test and other images",
        "ood",
        ood_figure(of_scans, known),
    )
    groups = np.unique(test.groups[rows], return_inverse=True)[1].astype(np.int64)
    return evaluate_detector(of_scans, groups, known, resamples=resamples, seed=seed)


class _Maps:
    """Maps of images of the test for their predicted classes."""

    def __init__(self, shown: Shown) -> None:
        self._shown, self.model = shown, network_of(shown.predictor.bundle)

    def __call__(self, rows: Rows, classes: Rows, network: Any = None) -> SaliencyMaps:
        images = self._shown.images[rows]
        return saliency_maps(network or self.model.network, self.model.normalize, images, classes)


def _saliency(
    shown: Shown,
    test: Predictions,
    explain: _Maps,
    limit: int,
    resamples: int,
    seed: int,
    draw: Callable[[str, str, str, Figure | None], None],
) -> dict[str, Any]:
    rows = example_rows(test, seed=seed)
    size = shown.predictor.bundle.image_size
    places, masks = read_masks(shown.samples.iloc[rows], size)
    outlines = np.zeros((len(rows), size, size), bool)
    outlines[places] = masks
    figure = examples_figure(test, rows, shown.images[rows], explain(rows, test.predicted[rows]), outlines)
    draw("saliency", "Where the evidence for the predicted class lies (test; dashed: mask)", "saliency", figure)
    checked = stratified(test.labels, _CHECKED, seed)
    found: dict[str, Any] = {
        "sanity": weight_randomization_test(
            explain.model.network, lambda network: explain(checked, test.predicted[checked], network)
        )
    }
    masked = np.intersect1d(
        correctly_classified_tumours(test), np.flatnonzero(shown.samples["mask_path"].to_numpy() != "")
    )
    if len(masked):
        masked = masked[stratified(test.labels[masked], limit, seed)]
        _, masks = read_masks(shown.samples.iloc[masked], size)
        heats = explain(masked, test.predicted[masked])
        found["pointing"] = evaluate_pointing(
            heats, masks, shown.images[masked], test.groups[masked], resamples=resamples, seed=seed
        )
    return found


def _mistakes(
    shown: Shown, test: Predictions, explain: _Maps, draw: Callable[[str, str, str, Figure | None], None]
) -> list[ErrorRecord]:
    wrong = error_records(test)
    if not wrong:
        return []
    names = test.frame["sample_id"].tolist()
    rows = np.array([names.index(row["sample_id"]) for row in wrong], np.int64)
    nearest = None
    if known := shown.known:
        training = np.flatnonzero(known.samples["split"] == "train").astype(np.int64)
        found, alike = neighbours(known.views, training, known.test[rows], _NEAREST)
        wrong = with_nearest(wrong, known.samples, found, alike)
        nearest = np.stack([known.images[few] for few in found])
    figure = errors_figure(wrong, shown.images[rows], explain(rows, test.predicted[rows]), nearest)
    draw("mistakes", "The surest mistakes (test)", "mistakes", figure)
    return wrong
