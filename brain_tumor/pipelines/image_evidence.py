"""Evidence that needs the images themselves: robustness, OOD detection, saliency, the most confident errors."""

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure

from brain_tumor.data.baseline import neighbours
from brain_tumor.data.images import Images
from brain_tumor.data.masks import read_masks
from brain_tumor.data.progress import progress
from brain_tumor.evaluation.explain.gallery import (
    ErrorRecord,
    Examples,
    error_records,
    errors_figure,
    example_rows,
    examples_figure,
    with_nearest,
)
from brain_tumor.evaluation.explain.pointing_game import correctly_classified_tumours, evaluate_pointing
from brain_tumor.evaluation.explain.saliency import SaliencyMaps, localizer_maps, map_grid, saliency_maps
from brain_tumor.evaluation.explain.weight_randomization import weight_randomization_test
from brain_tumor.evaluation.ood.detector_metrics import evaluate_detector, ood_figure
from brain_tumor.evaluation.ood.test_sets import ood_sets
from brain_tumor.evaluation.predictions import Predictions
from brain_tumor.evaluation.report.figures import Figures
from brain_tumor.evaluation.report.inline_figures import inline_figure
from brain_tumor.evaluation.report.plots import PNG, FigureFormats, save_figure
from brain_tumor.evaluation.robustness.figures import robustness_curves
from brain_tumor.evaluation.robustness.scoring import CHUNK, RobustnessTest, stratified
from brain_tumor.evaluation.robustness.sweep import robustness
from brain_tumor.evaluation.robustness.tta import augmented
from brain_tumor.serving.engines.eager import network_of
from brain_tumor.serving.predictor import Predictor
from brain_tumor.types import GreyImage, Rows

_RANDOMIZATION_IMAGES = 32
"""Images of the weight-randomisation test, which computes a map of each for every stage of the network."""
_NEAREST = 3
"""Training images beside each error."""
_OOD_IMAGES = 100
"""Largest number of images per OOD set."""


@dataclass(frozen=True)
class TrainingImages:
    """Images of a run, among which the training images most similar to an error are found."""

    samples: pd.DataFrame
    """Samples table, M rows."""
    images: Images
    """uint8 [M, S, S]."""
    views: Images
    """Fingerprints, uint8 [M, VIEWS, s, s]."""
    test_rows: Rows
    """Rows of the test images, in the order of the predictions table."""


@dataclass(frozen=True)
class EvaluatedImages:
    """Test images, and the model that is run on them."""

    predictor: Predictor
    samples: pd.DataFrame
    """Samples table, N rows in the order of the predictions table."""
    images: Images
    """uint8 [N, S, S], in the same order."""
    training: TrainingImages | None = None
    """None: the training images are not available."""


@dataclass
class ImageEvidence:
    """Results that need images."""

    results: dict[str, Any] = field(default_factory=dict)
    """Entries of ``results.json``: ``robustness tta ood saliency mistakes``."""
    figures: Figures = field(default_factory=dict)
    """Section → caption → figure."""
    examples: Examples | None = None
    """Some of the test images with their maps."""


class _Job:
    """Arguments that all parts of the image evidence share."""

    def __init__(
        self,
        evaluated: EvaluatedImages,
        test: Predictions,
        folder: Path,
        limit: int,
        resamples: int,
        seed: int,
        figure_formats: FigureFormats,
    ) -> None:
        self.evaluated, self.test, self.folder, self.figure_formats = evaluated, test, folder, figure_formats
        self.limit, self.resamples, self.seed = limit, resamples, seed
        self.evidence = ImageEvidence()
        self.model = network_of(evaluated.predictor.bundle)

    @property
    def kind(self) -> str:
        """Which maps `maps` computes, in words."""
        return "localizer's maps" if self.evaluated.predictor.bundle.has_map else "saliency maps of the predicted class"

    def maps(self, rows: Rows) -> SaliencyMaps:
        """Compute the localizer's maps of test images, or saliency maps of a model without one."""
        if not self.evaluated.predictor.bundle.has_map:
            return self.saliency(rows)
        return localizer_maps(self.model.network, self.model.normalize, self.evaluated.images[rows])

    def saliency(self, rows: Rows, network: Any = None) -> SaliencyMaps:
        """Compute saliency maps of test images for their predicted classes, by the model or another network."""
        network = network or self.model.network
        return saliency_maps(network, self.model.normalize, self.evaluated.images[rows], self.test.predicted[rows])

    def draw(self, section: str, caption: str, figure: Figure | None) -> None:
        """Save a figure, if there is one."""
        if figure is not None:
            save_figure(figure, self.folder / f"{section}.png", self.figure_formats)
            self.evidence.figures.setdefault(section, {})[caption] = inline_figure(figure, caption)


def compute_image_evidence(
    evaluated: EvaluatedImages,
    test: Predictions,
    folder: Path,
    *,
    limit: int,
    resamples: int,
    seed: int,
    ood_images: GreyImage | None = None,
    figure_formats: FigureFormats = PNG,
) -> ImageEvidence:
    """Run the model on test images, changed and unchanged, and on OOD images.

    Args:
        evaluated: Test images and the model.
        test: Predictions of the test images.
        folder: Folder of the figures.
        limit: Largest number of images of each part; of more, a sample stratified by class is used.
        resamples: Number of resamples behind each interval.
        seed: Seed of samples and corruptions.
        ood_images: The user's own OOD images, uint8 [M, S, S].
        figure_formats: Formats and resolution of the figures' files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    job = _Job(evaluated, test, folder, limit, resamples, seed, figure_formats)
    results = job.evidence.results
    robustness_test = RobustnessTest(
        partial(evaluated.predictor.probabilities, batch_size=CHUNK),
        evaluated.images,
        test.labels,
        test.classes,
        test.groups,
        limit=limit,
        seed=seed,
        resamples=resamples,
    )
    results["robustness"] = robustness(robustness_test)
    results["tta"] = augmented(robustness_test)
    job.draw("robustness", "Scores of corrupted images (test)", robustness_curves(results["robustness"]))
    if evaluated.predictor.bundle.ood_detector:
        results["ood"] = _ood(job, ood_images)
    results["saliency"] = _saliency(job)
    results["mistakes"] = _errors(job)
    return job.evidence


def _ood(job: _Job, ood_images: GreyImage | None) -> dict[str, Any]:
    rows = stratified(job.test.labels, job.limit, job.seed)
    predictor, scans = job.evaluated.predictor, job.evaluated.images[rows]
    sets = ood_sets(predictor.bundle.image_size, min(job.limit, _OOD_IMAGES), job.seed, scans)
    if ood_images is not None:
        sets["your own"] = ood_images
    scores = {}
    for name, images in {"scans": scans, **sets}.items():
        score = predictor.assess(progress(images, f"OOD scores of {name}")).ood_score
        if score is not None:
            scores[name] = score
    scan_scores = scores.pop("scans")
    job.draw("ood", "OOD scores of test scans and of OOD sets", ood_figure(scan_scores, scores))
    groups = np.unique(job.test.groups[rows], return_inverse=True)[1].astype(np.int64)
    return evaluate_detector(scan_scores, groups, scores, resamples=job.resamples, seed=job.seed)


def _saliency(job: _Job) -> dict[str, Any]:
    test, samples, images = job.test, job.evaluated.samples, job.evaluated.images
    size = job.evaluated.predictor.bundle.image_size
    rows = example_rows(test, seed=job.seed)
    with_mask, masks = read_masks(samples.iloc[rows], size)
    outlines = np.zeros((len(rows), size, size), bool)
    outlines[with_mask] = masks
    maps, threshold = job.maps(rows), job.evaluated.predictor.map_threshold
    marked = maps >= threshold if job.evaluated.predictor.bundle.has_map else None
    job.evidence.examples = Examples(test, rows, images[rows], maps, outlines, marked)
    save_figure(examples_figure(job.evidence.examples), job.folder / "saliency.png")
    sample = stratified(test.labels, _RANDOMIZATION_IMAGES, job.seed)
    results: dict[str, Any] = {
        "sanity": weight_randomization_test(job.model.network, lambda network: job.saliency(sample, network))
    }
    masked = np.flatnonzero(samples["mask_path"].to_numpy() != "")
    tumours = np.intersect1d(correctly_classified_tumours(test), masked)
    if len(tumours):
        tumours = tumours[stratified(test.labels[tumours], job.limit, job.seed)]
        _, masks = read_masks(samples.iloc[tumours], size)
        groups = test.groups[tumours]
        example = job.model.normalize(torch.from_numpy(np.array(images[tumours[:1]]))[:, None])
        results["pointing"] = evaluate_pointing(
            job.saliency(tumours),
            masks,
            images[tumours],
            groups,
            grid=map_grid(job.model.network, example),
            resamples=job.resamples,
            seed=job.seed,
        )
    return results


def _errors(job: _Job) -> list[ErrorRecord]:
    errors = error_records(job.test)
    if not errors:
        return []
    sample_ids = job.test.frame["sample_id"].tolist()
    rows = np.array([sample_ids.index(error["sample_id"]) for error in errors], np.int64)
    nearest_images = None
    if training := job.evaluated.training:
        training_rows = np.flatnonzero(training.samples["split"] == "train").astype(np.int64)
        nearest, similarity = neighbours(training.views, training_rows, training.test_rows[rows], _NEAREST)
        errors = with_nearest(errors, training.samples, nearest, similarity)
        nearest_images = np.stack([training.images[nearest_rows] for nearest_rows in nearest])
    figure = errors_figure(errors, job.evaluated.images[rows], job.maps(rows), nearest_images)
    job.draw("mistakes", f"Most confident errors, with {job.kind} (test)", figure)
    return errors
