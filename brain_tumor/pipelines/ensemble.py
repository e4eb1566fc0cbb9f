"""An ensemble of runs: averaged predictions, evaluated like those of a run, and a bundle."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from omegaconf import DictConfig

from brain_tumor.data.samples import write_table
from brain_tumor.errors import ConfigError
from brain_tumor.evaluation.calibration import calibrated
from brain_tumor.evaluation.predictions import Predictions, predictions_frame, read_predictions
from brain_tumor.pipelines.evaluation import compute_evidence, write_report
from brain_tumor.pipelines.evaluation_input import EvaluationInput
from brain_tumor.run_dir.atomic import read_json
from brain_tumor.run_dir.record import RunRecord
from brain_tumor.serving.bundle import Bundle
from brain_tumor.serving.pack_ensemble import ensemble_bundle, ensemble_contents, require_joinable
from brain_tumor.serving.packing import bundle_of, model_card, write_bundle


def make_ensemble(cfg: DictConfig) -> Bundle:
    """Join the runs of ``ensemble`` into one model, and evaluate it on what they predicted.

    The prediction of an image is the mean of the calibrated probabilities of those members for which it was in the
    same split (validation, or test): members that were trained on it do not count.

    Raises:
        BrainTumorError: The runs cannot be joined.
    """
    runs = [Path(run).expanduser() for run in cfg.ensemble]
    members = [bundle_of(run, cfg.plugins) for run in runs]
    require_joinable(members)
    joined = {split: _joined(runs, members, split) for split in ("val", "test")}
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
        samples = pd.concat([pd.read_csv(run / "samples.csv", dtype=str, keep_default_na=False) for run in runs])
        write_table(samples.drop_duplicates("sample_id"), record.run_dir / "samples.csv")
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
            bundle = ensemble_bundle(members, record.run_dir / "bundle", contents, computed.results, digest)
            write_bundle(bundle, contents, model_card(bundle, record.facts, computed.results))
        with record.stage("report"):
            write_report(inputs, computed, record)
    return bundle


def _joined(runs: Sequence[Path], members: Sequence[Bundle], split: str) -> pd.DataFrame:
    """Average the calibrated predictions of a split, and count the members that predicted each image.

    Raises:
        ConfigError: Two members give an image two classes.
    """
    classes = members[0].classes
    columns = [f"p_{name}" for name in classes]
    tables = []
    for run, member in zip(runs, members, strict=True):
        predictions = calibrated(read_predictions(run / "predictions" / f"{split}.csv"), member.temperature)
        order = [predictions.classes.index(name) for name in classes]
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
