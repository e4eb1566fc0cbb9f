"""Collect the input of `brain-tumor evaluate`: tables, a run on its own test, or a model on other data."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from omegaconf import DictConfig

from brain_tumor.data.cache.store import cached_images
from brain_tumor.data.class_folders import image_files
from brain_tumor.data.images import ImageRows
from brain_tumor.data.readers.reading import source_file
from brain_tumor.data.samples import data_digest, read_table
from brain_tumor.errors import ConfigError, DataError, require
from brain_tumor.evaluation.decisions.operating_points import out_of_order
from brain_tumor.evaluation.evidence import DecisionRules
from brain_tumor.evaluation.explain.gallery import Examples
from brain_tumor.evaluation.predictions import Predictions, read_predictions
from brain_tumor.pipelines.external_data import describe_overlap, external
from brain_tumor.pipelines.image_evidence import EvaluatedImages, TrainingImages
from brain_tumor.run_dir.atomic import read_json
from brain_tumor.run_dir.record import read_results
from brain_tumor.serving.bundle import Bundle
from brain_tumor.serving.files import read_images
from brain_tumor.serving.packing import bundle_of
from brain_tumor.serving.predictor import Predictor
from brain_tumor.training.data_from_config import data_name
from brain_tumor.types import Rows

OVERLAP = ("refuse", "leave_out", "allow")


@dataclass(frozen=True)
class EvaluationInput:
    """Predictions to evaluate, and what is known about them."""

    title: str
    """Title of the report."""
    splits: dict[str, Predictions]
    """``test``, and ``val`` if there is one."""
    decision_rules: DecisionRules | None
    """Temperature and thresholds of an earlier validation; None: they are chosen on ``val``, if there is one."""
    facts: dict[str, Any]
    """Facts for ``run.json`` and the report."""
    notes: list[str]
    """Sentences that a reader must know before the figures."""
    attributes: pd.DataFrame
    """Attributes of the test images, columns of text that define subgroups."""
    extra: dict[str, Any] = field(default_factory=dict)
    """Further entries of ``results.json``."""
    images: EvaluatedImages | None = None
    """Test images and the model; None: no model is available, or image_evidence=false."""
    epochs: pd.DataFrame | None = None
    """``metrics.csv``, if this is the evaluation of a training that has just ended."""
    ood_images: npt.NDArray[np.uint8] | None = None
    """The user's OOD images, uint8 [M, S, S]."""
    examples: Callable[[Predictions, Rows], Examples | None] | None = None
    """Function from the test predictions and row numbers of some to these images with their maps, or to None where the
    network allows none; None where no network was just trained."""


def evaluation_input(cfg: DictConfig) -> EvaluationInput:
    """Collect what a configuration asks to evaluate.

    Raises:
        BrainTumorError: It names nothing, or several things, or what it names cannot be used.
    """
    require(cfg.overlap in OVERLAP, f"overlap={cfg.overlap}", " or ".join(OVERLAP))
    data = "adapter" in cfg.data
    given = [key for key in ("run", "bundle", "predictions") if cfg[key] is not None]
    if len(given) != 1:
        raise ConfigError(
            f"Found {' and '.join(given) or 'nothing to evaluate'}; expected exactly one of run=RUN, bundle=BUNDLE "
            "with data=…, or predictions=FILE."
        )
    if cfg.predictions is not None:
        if data:
            raise ConfigError("predictions=FILE is a complete table; use data=… with run= or bundle=.")
        return _tables(cfg)
    if cfg.val is not None:
        raise ConfigError(
            "val=FILE goes with predictions=FILE; a trained model already has its temperature and thresholds."
            " Leave val= out."
        )
    if cfg.bundle is not None and not data:
        raise ConfigError(f"bundle={cfg.bundle} needs data=…: a bundle holds no images; run=RUN has its own test.")
    inputs = _external(cfg) if data else _own_test(cfg)
    return replace(inputs, ood_images=_ood_images(cfg, inputs.images)) if cfg.ood_images else inputs


def _ood_images(cfg: DictConfig, evaluated: EvaluatedImages | None) -> npt.NDArray[np.uint8]:
    if evaluated is None or evaluated.predictor.bundle.ood_detector is None:
        raise ConfigError(
            f"ood_images={cfg.ood_images} needs a model with an OOD detector, and image_evidence=true; train the model "
            "with more validation groups, or leave ood_images= out."
        )
    paths = sorted(str(path) for path in image_files(Path(cfg.ood_images).expanduser()))
    if not paths:
        raise DataError(
            f"ood_images={cfg.ood_images} holds no images; give a folder of images that are no brain scans."
        )
    return read_images(paths, evaluated.predictor.bundle.image_size, "Reading OOD images")


def _tables(cfg: DictConfig) -> EvaluationInput:
    splits = {"val": read_predictions(cfg.val)} if cfg.val else {}
    splits["test"] = test = read_predictions(cfg.predictions)
    if cfg.val:
        _same_classes(splits["val"], test, cfg)
    grouped = sum(bool(group) for group in test.frame.get("group", pd.Series(dtype=str)))
    notes = [] if grouped else ["The table has no groups: intervals treat every image as a patient of its own."]
    return EvaluationInput(
        title=Path(cfg.predictions).name,
        splits=splits,
        decision_rules=None,
        facts={"data": {"name": Path(cfg.predictions).name, "validation": Path(cfg.val).name if cfg.val else "none"}},
        notes=notes,
        attributes=_subgroup_columns(test.frame),
    )


def _same_classes(val: Predictions, test: Predictions, cfg: DictConfig) -> None:
    if val.classes != test.classes:
        raise ConfigError(
            f"{cfg.val} has the classes {', '.join(val.classes)}, {cfg.predictions} {', '.join(test.classes)}; "
            "both tables need the same ones, in the same order."
        )
    if shared := set(val.frame["sample_id"]) & set(test.frame["sample_id"]):
        raise ConfigError(
            f"{len(shared)} images are in both {cfg.val} and {cfg.predictions}, first {min(shared)!r}; thresholds "
            "must not be tested on images that they were chosen on."
        )


def _own_test(cfg: DictConfig) -> EvaluationInput:
    run_dir = Path(cfg.run).expanduser()
    if not (run_dir / "predictions" / "test.csv").is_file():
        raise ConfigError(
            f"run={cfg.run} is no finished run of brain-tumor train; expected a directory with predictions/test.csv. "
            "A bundle needs bundle=BUNDLE and data=…."
        )
    for key in ("class_map", "published_split"):
        require(cfg[key] is None, f"{key}={cfg[key]} without data=…", "data=… (for a run's own test both are fixed)")
    bundle = bundle_of(run_dir, cfg.plugins)
    splits = {split: read_predictions(run_dir / "predictions" / f"{split}.csv") for split in ("val", "test")}
    facts = read_json(run_dir / "run.json")
    before = read_results(run_dir)
    return EvaluationInput(
        title=f"{facts['model']['name']} on {facts['data']['name']}",
        splits=splits,
        decision_rules=None,
        facts={name: facts[name] for name in ("data", "model", "training") if name in facts},
        notes=facts.get("notes", []),
        attributes=_subgroup_columns(splits["test"].frame),
        extra={name: before[name] for name in ("leakage", "baseline", "localization") if name in before},
        images=_own_images(cfg, run_dir, bundle, splits["test"]) if cfg.image_evidence else None,
    )


def _own_images(cfg: DictConfig, run_dir: Path, bundle: Bundle, test: Predictions) -> EvaluatedImages:
    """Load the run's images, from the cache if they are still in it."""
    samples = read_table(run_dir / "samples.csv")
    if missing := [path for path in samples["path"] if not source_file(path).is_file()]:
        raise DataError(
            f"{len(missing)} of the {len(samples)} images of {run_dir} no longer exist, first {missing[0]}; restore "
            "them, or evaluate the tables alone with image_evidence=false."
        )
    cache_dir = Path(cfg.paths.cache_dir).expanduser().absolute()
    decoded = cached_images(
        samples["path"].tolist(), bundle.image_size, cache_dir, cfg.data.cache, cfg.paths.cache_limit_gb
    )
    rows = pd.Index(samples["sample_id"]).get_indexer(pd.Index(test.frame["sample_id"])).astype(np.int64)
    training = TrainingImages(samples, decoded.images, decoded.views, rows)
    return EvaluatedImages(
        predictor=Predictor.load(bundle.folder, cfg.engine, cfg.precision, cfg.threads, cfg.plugins),
        samples=samples.iloc[rows].reset_index(drop=True),
        images=ImageRows(decoded.images, rows),
        training=training,
    )


def _external(cfg: DictConfig) -> EvaluationInput:
    folder = bundle_of(cfg.run or cfg.bundle).folder
    predictor = Predictor.load(folder, cfg.engine, cfg.precision, cfg.threads, cfg.plugins)
    bundle, data = predictor.bundle, external(cfg, predictor)
    test = Predictions.from_frame(data.table)
    if cfg.class_map is None:
        rules = DecisionRules(bundle.temperature, bundle.operating_points, bundle.abstain_below, bundle.targets)
    else:  # merged probabilities are calibrated; thresholds stay valid if the healthy class is unchanged
        healthy = test.healthy is not None and bundle.healthy_class is not None
        rules = DecisionRules(1.0, bundle.operating_points if healthy else {}, None, bundle.targets)
    return EvaluationInput(
        title=f"{bundle.architecture} {bundle.version} on {data_name(cfg)}",
        splits={"test": test},
        decision_rules=rules,
        facts={
            "data": {
                "name": data_name(cfg),
                "digest": data_digest(data.samples),
                "images": len(test.labels),
                "files": data.files,
                "groups": int(test.groups.max()) + 1,
                "overlap": data.overlap,
            },
            "model": {"name": bundle.architecture, "version": bundle.version, "trained_on": bundle.data_digest},
        },
        notes=[*_overlap_notes(data.overlap, len(test.labels)), *_threshold_notes(bundle)],
        attributes=data.attributes,
        extra={"overlap": data.overlap} | ({"localization": data.localization} if data.localization else {}),
        images=EvaluatedImages(predictor, data.samples, data.images)
        if cfg.image_evidence and cfg.class_map is None
        else None,
    )


def _overlap_notes(overlap: dict[str, int | str], kept: int) -> list[str]:
    notes = {
        "nothing": "The bundle does not list its training images: whether they include these images is unknown.",
        "files": "The training images are not available: only byte-identical files were searched for, no patients.",
        "copies": "Shared patients were searched for only where they are known from a public data set.",
    }
    applicable = [notes[str(overlap["looked_for"])]] if overlap["looked_for"] in notes else []
    if overlap["left_out"]:
        applicable.append(
            f"{describe_overlap(overlap, kept + int(overlap['left_out']))}. These {overlap['left_out']} were left out "
            "(overlap=leave_out): the figures are of the others alone."
        )
    elif overlap["copies"] or overlap["same_patient"]:
        applicable.append(
            f"{describe_overlap(overlap, kept)}, which was allowed (overlap=allow). The figures are inflated."
        )
    return applicable


def _threshold_notes(bundle: Bundle) -> list[str]:
    if not out_of_order(bundle.operating_points):
        return []
    return [
        f"The operating points of model {bundle.version} contradict their names, as version 0.1 chose them: a "
        "threshold called sensitive is above one called balanced or specific. Train again, or ignore the names."
    ]


def _subgroup_columns(frame: pd.DataFrame) -> pd.DataFrame:
    columns = [name for name in ("source", "plane") if name in frame.columns]
    return frame[columns].replace(np.nan, "").astype(str).reset_index(drop=True)
