"""An ensemble of runs: averaged predictions, evaluated like those of a run, and a bundle."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from omegaconf import DictConfig

from brain_tumor.data.masks import TumourMasks
from brain_tumor.data.samples import SPLITS, read_table, write_table
from brain_tumor.evaluation.calibration import calibrated, fit_temperature
from brain_tumor.evaluation.metrics.probability import nll
from brain_tumor.evaluation.predictions import Predictions
from brain_tumor.pipelines.evaluation import compute_evidence, write_report
from brain_tumor.pipelines.evaluation_input import EvaluationInput
from brain_tumor.pipelines.joined_predictions import SCORED, Joined, join
from brain_tumor.pipelines.localization import Localization, localize
from brain_tumor.run_dir.atomic import read_json
from brain_tumor.run_dir.record import RunRecord
from brain_tumor.serving.bundle import Bundle
from brain_tumor.serving.files import read_images
from brain_tumor.serving.pack_ensemble import ensemble_bundle, ensemble_contents, require_joinable
from brain_tumor.serving.packing import bundle_of, model_card, write_bundle

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
    joined = {split: join(runs, members, split) for split in SCORED}
    mirrored = False
    if cfg.tta == "mirror":
        both = {split: join(runs, members, split, mirrored=True) for split in SCORED}
        losses = [_loss(predicted["val"].table) for predicted in (joined, both)]
        mirrored = losses[1] < losses[0]
        log.info(
            "The loss on validation is %.4f, and %.4f with mirrored images, too: they are %s.",
            *losses,
            "used" if mirrored else "not used",
        )
        joined = both if mirrored else joined
    samples = _samples(runs)
    located = _localized(joined, samples, members[0].image_size)
    notes = [
        f"{count} of {len(table)} {split} images are predicted by fewer than the {len(runs)} members, as the others "
        "were trained on them: the ensemble itself is better tested on other data."
        for split, table in located.tables.items()
        if (count := int((table["members"] < len(runs)).sum()))
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
        write_table(samples, record.run_dir / "samples.csv")
        inputs = EvaluationInput(
            title=f"Ensemble of {len(runs)} on {facts[0]['data']['name']}",
            splits={split: Predictions.from_frame(table) for split, table in located.tables.items()},
            decision_rules=None,
            facts={},
            notes=notes,
            attributes=located.tables["test"].reindex(columns=["source", "plane"]).fillna(""),
            extra=located.results,
            examples=located.examples,
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
            write_report(inputs, computed, record, cfg)
    return bundle


def _samples(runs: Sequence[Path]) -> pd.DataFrame:
    """Join the samples tables; an image that any member was trained on, or selected on, is in train, or val."""
    tables = pd.concat([read_table(run / "samples.csv") for run in runs])
    order = tables["split"].map({split: rank for rank, split in enumerate(SPLITS)}).fillna(len(SPLITS))
    ranked = tables.assign(order=order).sort_values("order", kind="stable")
    return ranked.drop_duplicates("sample_id").drop(columns="order")


def _localized(joined: Mapping[str, Joined], samples: pd.DataFrame, size: int) -> Localization:
    """Measure the joined maps on images of ``size`` pixels; without any nothing is added."""
    tables = {split: each.table for split, each in joined.items()}
    maps = {split: each.maps for split, each in joined.items() if each.maps is not None}
    if not maps:
        return Localization(tables)
    predicted = set().union(*(table["sample_id"] for table in tables.values()))
    shown = samples[samples["sample_id"].isin(predicted)].reset_index(drop=True)
    images = read_images(shown["path"].tolist(), size, "Reading images")
    return localize(tables, maps, shown, images, TumourMasks(shown, size))


def _loss(table: pd.DataFrame) -> float:
    """Mean cross-entropy of predictions at their best temperature, since the ensemble gets a temperature of its own."""
    predictions = Predictions.from_frame(table)
    scaled = calibrated(predictions, fit_temperature(predictions))
    return float(nll(scaled.labels, scaled.probabilities, np.ones((1, len(scaled.labels))))[0])
