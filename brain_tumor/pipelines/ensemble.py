"""An ensemble of runs: averaged predictions, evaluated like those of a run, and a bundle."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from omegaconf import DictConfig

from brain_tumor.data.progress import progress
from brain_tumor.data.samples import SPLITS, read_table, write_table
from brain_tumor.errors import ConfigError
from brain_tumor.evaluation.calibration import calibrated, fit_temperature
from brain_tumor.evaluation.metrics.probability import nll
from brain_tumor.evaluation.predictions import Predictions, predictions_frame, read_predictions
from brain_tumor.pipelines.evaluation import compute_evidence, write_report
from brain_tumor.pipelines.evaluation_input import EvaluationInput
from brain_tumor.run_dir.atomic import read_json
from brain_tumor.run_dir.record import RunRecord
from brain_tumor.serving.bundle import Bundle
from brain_tumor.serving.engines import REFERENCE, open_engine
from brain_tumor.serving.files import read_images
from brain_tumor.serving.pack_ensemble import ensemble_bundle, ensemble_contents, require_joinable
from brain_tumor.serving.packing import bundle_of, model_card, write_bundle
from brain_tumor.serving.predictor import Predictor
from brain_tumor.types import Floats

log = logging.getLogger(__name__)


def make_ensemble(cfg: DictConfig) -> Bundle:
    """Join the runs of ``ensemble`` into one model, and evaluate it on what they predicted.

    The prediction of an image is the mean of the calibrated probabilities of those members for which it was in the
    same split (validation, or test): members that were trained on it do not count.

    Raises:
        BrainTumorError: The runs cannot be joined.
    """
    runs = [Path(run).expanduser() for run in cfg.ensemble]
    members = [bundle_of(run, cfg.plugins) for run in runs]
    require_joinable(members, alone=cfg.tta != "none")
    joined = {split: _joined(runs, members, split) for split in ("val", "test")}
    mirrored = False
    if cfg.tta == "mirror":
        both = {split: _joined(runs, members, split, mirrored=True) for split in ("val", "test")}
        losses = [_loss(tables["val"]) for tables in (joined, both)]
        mirrored = losses[1] < losses[0]
        log.info(
            "The loss on validation is %.4f, and %.4f with mirrored images, too: they are %s.",
            *losses,
            "used" if mirrored else "not used",
        )
        joined = both if mirrored else joined
    alone = {split: int((table["members"] < len(runs)).sum()) for split, table in joined.items()}
    notes = [
        f"{count} of {len(joined[split])} {split} images are predicted by fewer than the {len(runs)} members, as the "
        "others were trained on them: the ensemble itself is better tested on other data."
        for split, count in alone.items()
        if count
    ]
    facts = [read_json(run / "run.json") for run in runs]
    with RunRecord(Path(cfg.paths.run_dir), overwrite=cfg.overwrite) as record:
        record.note(
            seed=cfg.seed,
            data=facts[0]["data"],
            model={
                "name": f"ensemble of {len(runs)}",
                "members": [f"{each['model']['name']} ({run.name})" for run, each in zip(runs, facts, strict=True)],
                "image_size": members[0].image_size,
                "parameters": sum(each["model"]["parameters"] for each in facts),
                "weights": next((weights for each in facts if (weights := each["model"]["weights"]) != "none"), "none"),
            },
        )
        write_table(_samples(runs), record.run_dir / "samples.csv")
        inputs = EvaluationInput(
            title=f"Ensemble of {len(runs)} on {facts[0]['data']['name']}",
            splits={split: Predictions.from_frame(table) for split, table in joined.items()},
            decision_rules=None,
            facts={},
            notes=notes,
            attributes=joined["test"].reindex(columns=["source", "plane"]).fillna(""),
        )
        with record.stage("evaluate"):
            computed = compute_evidence(inputs, record, cfg)
        with record.stage("bundle"):
            contents = ensemble_contents(members)
            digest = facts[0]["data"]["digest"]
            folder = record.run_dir / "bundle"
            bundle = ensemble_bundle(members, folder, contents, computed.results, digest, mirrored=mirrored)
            write_bundle(bundle, contents, model_card(bundle, record.facts, computed.results))
        with record.stage("report"):
            write_report(inputs, computed, record)
    return bundle


def _samples(runs: Sequence[Path]) -> pd.DataFrame:
    """Join the samples tables; an image that any member was trained on, or selected on, is in train, or val."""
    tables = pd.concat([read_table(run / "samples.csv") for run in runs])
    order = tables["split"].map({split: rank for rank, split in enumerate(SPLITS)}).fillna(len(SPLITS))
    ranked = tables.assign(order=order).sort_values("order", kind="stable")
    return ranked.drop_duplicates("sample_id").drop(columns="order")


def _loss(table: pd.DataFrame) -> float:
    """Mean cross-entropy of predictions at their best temperature, since the ensemble gets a temperature of its own."""
    predictions = Predictions.from_frame(table)
    scaled = calibrated(predictions, fit_temperature(predictions))
    return float(nll(scaled.labels, scaled.probabilities, np.ones((1, len(scaled.labels))))[0])


def _joined(runs: Sequence[Path], members: Sequence[Bundle], split: str, *, mirrored: bool = False) -> pd.DataFrame:
    """Average the calibrated predictions of a split, and count the members that predicted each image.

    Args:
        runs: Run directories.
        members: Their bundles.
        split: ``val`` or ``test``.
        mirrored: Whether the members also predict the images mirrored left–right.

    Raises:
        ConfigError: Two members give an image two classes.
    """
    classes = members[0].classes
    columns = [f"p_{name}" for name in classes]
    tables = []
    for run, member in zip(runs, members, strict=True):
        predictions = calibrated(read_predictions(run / "predictions" / f"{split}.csv"), member.temperature)
        order = [predictions.classes.index(name) for name in classes]
        if mirrored:
            predictions = predictions.with_probabilities(_with_mirrored(predictions, member))
        tables.append(predictions.frame.assign(**dict(zip(columns, predictions.probabilities.T[order], strict=True))))
    together = pd.concat(tables, ignore_index=True)
    by_image = together.groupby("sample_id", sort=False)
    labels = by_image["label"].nunique()
    if labels.max() > 1:
        first = labels.idxmax()
        raise ConfigError(f"The members of the ensemble give {first!r} two classes; train them on the same labels.")
    mean = by_image[columns].mean()
    samples = by_image.first().reset_index()
    table = predictions_frame(samples, classes, mean.to_numpy(np.float64))
    return table.assign(members=by_image.size().to_numpy())


def _with_mirrored(predictions: Predictions, member: Bundle) -> Floats:
    """Average calibrated probabilities [N, C] with those of the same images, mirrored left–right."""
    paths = predictions.frame["path"].tolist()
    images = read_images(paths, member.image_size, "Reading images to mirror")
    network = Predictor(member, open_engine(member, REFERENCE))
    found = network.probabilities(progress(np.ascontiguousarray(images[:, :, ::-1]), "Predicting mirrored images"))
    order = [member.classes.index(name) for name in predictions.classes]
    return np.asarray((predictions.probabilities + found[:, order]) / 2)
