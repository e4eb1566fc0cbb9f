"""What the evaluation of a training needs: its predictions, subgroups, leakage, 1-NN baseline and OOD rejection."""

import logging
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from omegaconf import DictConfig

from brain_tumor.data.attributes import attributes
from brain_tumor.data.baseline import BASELINE, baseline_scores, cached_nearest, sample_queries
from brain_tumor.data.datamodule import ScanDataModule
from brain_tumor.data.duplicates.leakage import leak_counts
from brain_tumor.evaluation.explain.gallery import Examples
from brain_tumor.evaluation.explain.saliency import saliency_maps
from brain_tumor.evaluation.ood.detector_metrics import missed_shares, rejected_share
from brain_tumor.evaluation.predictions import Predictions, ood_scores_of
from brain_tumor.models.classifier import Classifier
from brain_tumor.pipelines.evaluation_input import EvaluationInput
from brain_tumor.pipelines.localization import Localization
from brain_tumor.pipelines.ood import OODTest
from brain_tumor.types import Floats, Rows

log = logging.getLogger(__name__)


def training_input(
    ood: OODTest,
    located: Localization,
    classifier: Classifier,
    datamodule: ScanDataModule,
    facts: dict[str, Any],
    notes: list[str],
    cfg: DictConfig,
) -> EvaluationInput:
    """Collect what is evaluated after a training.

    Args:
        ood: Predictions tables of val and test, and the test of the OOD detector.
        located: What a localizer adds.
        classifier: Classifier with the best weights.
        datamodule: Loaded data module.
        facts: Content of ``run.json`` so far.
        notes: Sentences that a reader must know before the figures.
        cfg: Composed configuration.
    """
    tables = ood.tables
    splits = {split: Predictions.from_frame(table) for split, table in tables.items()}
    names = pd.Index(datamodule.samples["sample_id"])
    predicted = names.get_indexer(pd.Index(tables["test"]["sample_id"]))  # with limit_predict_batches not all of test
    metrics = Path(cfg.paths.run_dir) / "metrics.csv"  # missing if callbacks.epoch_table is left out
    return EvaluationInput(
        title=f"{facts['model']['name']} on {facts['data']['name']}",
        splits=splits,
        decision_rules=None,
        facts={},
        notes=notes,
        attributes=attributes(datamodule.samples, datamodule.facts, datamodule.images, predicted.astype(np.int64)),
        extra={
            "leakage": {"allowed": cfg.split.allow_leakage, **leak_counts(datamodule.leakage)},
            "baseline": {"name": BASELINE, **{split: _baseline(datamodule, split) for split in tables}},
            **_ood_rejection(splits, ood.scores, cfg),
            **located.results,
            **{name: facts[name] for name in ("tuning",) if name in facts},
        },
        examples=located.examples or partial(_with_saliency, classifier, datamodule),
        epochs=pd.read_csv(metrics) if metrics.is_file() else None,
    )


def _with_saliency(
    classifier: Classifier, datamodule: ScanDataModule, test: Predictions, rows: Rows
) -> Examples | None:
    """Add the saliency of their predicted classes to some test images; None if the network allows none."""
    names = pd.Index(datamodule.samples["sample_id"])
    positions = names.get_indexer(pd.Index(test.frame["sample_id"].iloc[rows]))
    images = datamodule.images[positions]
    try:
        maps = saliency_maps(classifier.network, datamodule.normalize, images, test.predicted[rows])
    except Exception as error:  # a user's network may fail in many ways, none of which may cost the finished training
        log.warning("The report shows no heat maps: no saliency of this network (%s).", error)
        return None
    masks = None if datamodule.masks is None else datamodule.masks[positions] == 1
    return Examples(test, rows, images, maps, masks)


def _ood_rejection(splits: dict[str, Predictions], ood: dict[str, Floats], cfg: DictConfig) -> dict[str, Any]:
    """Shares of scans that the OOD detector rejects, the share it was set to, and shares of OOD images it misses."""
    scores = {split: ood_scores_of(predictions.frame) for split, predictions in splits.items()}
    shares = {
        split: rejected_share(score, splits[split].groups, resamples=cfg.evaluation.resamples, seed=cfg.seed)
        for split, score in scores.items()
        if score is not None
    }
    if not shares:
        return {}
    missed = missed_shares(ood, resamples=cfg.evaluation.resamples, seed=cfg.seed)
    return {"ood_rejection": {"target": cfg.ood.reject_share, **shares, "missed": missed}}


def _baseline(datamodule: ScanDataModule, split: str) -> dict[str, float]:
    training, queries = datamodule.rows("train"), sample_queries(datamodule.rows(split))
    nearest = cached_nearest(datamodule.results, datamodule.views, training, queries)
    return baseline_scores(datamodule.labels, nearest, queries)
