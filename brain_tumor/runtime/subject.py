"""What `brain-tumor evaluate` judges: tables of any framework, a run on its own test, or a model on other data."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from omegaconf import DictConfig

from brain_tumor.data.pictures import Pictures
from brain_tumor.data.samples import data_digest
from brain_tumor.errors import ConfigError, require
from brain_tumor.evaluation.evidence import Chosen
from brain_tumor.evaluation.predictions import Predictions, read_predictions
from brain_tumor.runtime.data import data_name
from brain_tumor.runtime.external import external
from brain_tumor.serving.packing import bundle_of
from brain_tumor.serving.predictor import Predictor

OVERLAP = ("refuse", "leave_out", "allow")


@dataclass(frozen=True)
class Shown:
    """Pictures of the test, where a model can be asked about them."""

    predictor: Predictor
    samples: pd.DataFrame
    """Row by row those of the test table."""
    images: Pictures
    """uint8 [N, S, S]."""


@dataclass(frozen=True)
class Subject:
    """What is judged."""

    title: str
    splits: dict[str, Predictions]
    """``test``, and ``val`` if there is one."""
    chosen: Chosen | None
    """What was chosen on validation before; None: on ``val`` now, if there is one."""
    facts: dict[str, Any]
    """For ``run.json`` and the report."""
    notes: list[str]
    """What a reader must know before the figures."""
    attributes: pd.DataFrame
    """Of the test images: columns of text that part them."""
    extra: dict[str, Any] = field(default_factory=dict)
    """Further entries of ``results.json``."""
    shown: Shown | None = None
    """None: only a table is known."""


def subject(cfg: DictConfig) -> Subject:
    """What a configuration names.

    Raises:
        BrainTumorError: It names nothing, or too much, or what it names cannot be used; in one sentence.
    """
    require(cfg.overlap in OVERLAP, f"overlap={cfg.overlap}", " or ".join(OVERLAP))
    data = "adapter" in cfg.data
    if (cfg.bundle is None) == (cfg.predictions is None):
        raise ConfigError(
            "Name what is to be evaluated, one of them: model=RUN, model=RUN_OR_BUNDLE with data=…, predictions=FILE."
        )
    if cfg.predictions is not None:
        if data:
            raise ConfigError("predictions=FILE is a table of its own; data=… goes with model=….")
        return _tables(cfg)
    if cfg.val is not None:
        raise ConfigError("val=FILE goes with predictions=FILE; a model brings what was chosen on its validation.")
    return _elsewhere(cfg) if data else _own_test(cfg)


def _tables(cfg: DictConfig) -> Subject:
    splits = {"val": read_predictions(cfg.val)} if cfg.val else {}
    splits["test"] = test = read_predictions(cfg.predictions)
    if cfg.val:
        _same_classes(splits["val"], test, cfg)
    given = sum(bool(group) for group in test.frame.get("group", pd.Series(dtype=str)))
    notes = [] if given else ["The table names no groups: intervals take every image for a patient of its own."]
    return Subject(
        title=Path(cfg.predictions).name,
        splits=splits,
        chosen=None,
        facts={"data": {"name": Path(cfg.predictions).name, "validation": Path(cfg.val).name if cfg.val else "none"}},
        notes=notes,
        attributes=_parts(test.frame),
    )


def _same_classes(val: Predictions, test: Predictions, cfg: DictConfig) -> None:
    if val.classes != test.classes:
        raise ConfigError(
            f"{cfg.val} has the classes {', '.join(val.classes)}, {cfg.predictions} {', '.join(test.classes)}; "
            "both tables need the same ones, in the same order."
        )
    if shared := set(val.frame["sample_id"]) & set(test.frame["sample_id"]):
        raise ConfigError(
            f"{len(shared)} images stand in both {cfg.val} and {cfg.predictions}, first {min(shared)!r}; what is "
            "chosen on an image cannot be judged on it."
        )


def _own_test(cfg: DictConfig) -> Subject:
    run_dir = Path(cfg.bundle).expanduser()
    if not (run_dir / "predictions" / "test.csv").is_file():
        raise ConfigError(
            f"model={cfg.bundle} is no finished run of brain-tumor train; a run is evaluated on its own test, a bundle "
            "needs data=…."
        )
    for key in ("class_map", "part"):
        require(cfg[key] is None, f"{key}={cfg[key]} without data=…", "data=…, as a run's own test is as it is")
    bundle_of(run_dir)
    splits = {split: read_predictions(run_dir / "predictions" / f"{split}.csv") for split in ("val", "test")}
    facts = json.loads((run_dir / "run.json").read_text(encoding="utf-8"))
    before = json.loads((run_dir / "results.json").read_text(encoding="utf-8"))
    return Subject(
        title=f"{facts['model']['name']} on {facts['data']['name']}",
        splits=splits,
        chosen=None,
        facts={name: facts[name] for name in ("data", "model", "training") if name in facts},
        notes=facts.get("notes", []),
        attributes=_parts(splits["test"].frame),
        extra={name: before[name] for name in ("leakage", "floor") if name in before},
        shown=None,
    )


def _elsewhere(cfg: DictConfig) -> Subject:
    predictor = Predictor.load(bundle_of(cfg.bundle).folder, cfg.engine, cfg.precision, cfg.threads)
    bundle, found = predictor.bundle, external(cfg, predictor)
    test = Predictions.from_frame(found.table)
    if cfg.class_map is None:
        chosen = Chosen(bundle.temperature, bundle.operating_points, bundle.abstain_below)
    else:  # added up, probabilities are calibrated already; detection stays what it was where the healthy class does
        healthy = test.healthy is not None and bundle.healthy_class is not None
        chosen = Chosen(1.0, bundle.operating_points if healthy else {}, None)
    return Subject(
        title=f"{bundle.architecture} {bundle.version} on {data_name(cfg)}",
        splits={"test": test},
        chosen=chosen,
        facts={
            "data": {
                "name": data_name(cfg),
                "digest": data_digest(found.samples),
                "images": len(test.labels),
                "groups": int(test.groups.max()) + 1,
                "overlap": found.overlap,
            },
            "model": {"name": bundle.architecture, "version": bundle.version, "trained_on": bundle.data_digest},
        },
        notes=_overlap_notes(found.overlap),
        attributes=found.attributes,
        extra={"overlap": found.overlap},
        shown=Shown(predictor, found.samples, found.images),
    )


def _overlap_notes(overlap: dict[str, int | str]) -> list[str]:
    notes = {
        "nothing": "The bundle does not say what it was trained on: whether it has seen these images is not known.",
        "files": "The training images are not at hand: only files of the same bytes were looked for, no near copies.",
    }
    found = [notes[str(overlap["looked_for"])]] if overlap["looked_for"] in notes else []
    if overlap["copies"] and not overlap["left_out"]:
        found.append(
            f"{overlap['copies']} of these images show what the model was trained or chosen on, and that was allowed "
            "(overlap=allow). The figures are inflated."
        )
    return found


def _parts(frame: pd.DataFrame) -> pd.DataFrame:
    columns = [name for name in ("source", "plane") if name in frame.columns]
    return frame[columns].replace(np.nan, "").astype(str).reset_index(drop=True)
