"""A training run from data to report: load, fit, predict, evaluate, bundle, report."""

import logging
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from brain_tumor.config.compose import config_files
from brain_tumor.data.datamodule import ScanDataModule
from brain_tumor.data.images import ImageRows
from brain_tumor.data.samples import write_table
from brain_tumor.errors import PreemptedError
from brain_tumor.pipelines.evaluation import compute_evidence, write_report
from brain_tumor.pipelines.localization import Localization, localize, write_maps
from brain_tumor.pipelines.next_commands import show_next_commands
from brain_tumor.pipelines.ood import add_ood_scores
from brain_tumor.pipelines.resuming import find_interrupted, same_processes
from brain_tumor.pipelines.run_facts import data_facts, model_facts, notes_for_readers, uses_phantoms
from brain_tumor.pipelines.training_evaluation import training_input
from brain_tumor.run_dir.record import RunRecord, read_record, read_results, utc_now
from brain_tumor.serving.packing import pack
from brain_tumor.tracking.log_run import log_results, log_start
from brain_tumor.tracking.loggers import open_loggers, resumable_wandb_id, wandb_id, wandb_url
from brain_tumor.training.build import fresh_trainer
from brain_tumor.training.data_from_config import same_data
from brain_tumor.training.distributed.launch import start_workers
from brain_tumor.training.distributed.worker import train_as_worker
from brain_tumor.training.distributed.world import World, outer_rank, resolve_world
from brain_tumor.training.fit import fit
from brain_tumor.training.known_warnings import ignore_known_warnings
from brain_tumor.training.predict import Predicted, image_outputs, predict
from brain_tumor.training.prepare import load_data, prepare
from brain_tumor.training.signals import requeue, stop_signals
from brain_tumor.training.try_out import try_out
from brain_tumor.training.tune import apply, tune

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainedRun:
    """What a training has produced."""

    run_dir: Path
    """The run directory: ``results.json``, ``report.html``, ``predictions/``, ``checkpoints/``, ``figures/``, …"""
    results: dict[str, Any]
    """Content of ``results.json``."""
    monitored: float
    """Monitored validation metric of the best weights; the value that a sweep optimises."""


def train_job(cfg: DictConfig) -> float | None:
    """Train as one process of a job: rank 0 does everything, ranks that torchrun or Slurm started fit with it.

    Returns:
        The monitored validation metric on rank 0, None on other ranks.
    """
    if outer_rank() > 0:
        resolve_world(cfg)
        try_out(cfg)  # as rank 0 does: a mistake ends all of them
        train_as_worker(cfg)
        return None
    try:
        return train_run(cfg).monitored
    except PreemptedError:
        if cfg.resume == "auto":  # otherwise the job would start from the beginning
            requeue()
        raise


def train_run(cfg: DictConfig, overrides: Sequence[str] | None = None) -> TrainedRun:
    """Train and evaluate what a composed configuration describes.

    Args:
        cfg: Composed configuration; what depends on the machine is resolved in it.
        overrides: Overrides that it was composed with; None for those of the command line.
    """
    run_dir, files = Path(cfg.paths.run_dir), config_files(cfg, overrides)
    interrupted = find_interrupted(cfg)
    if interrupted.is_finished:
        return _finished_run(run_dir)
    checkpoint = interrupted.checkpoint
    world = resolve_world(cfg)
    if checkpoint:
        same_processes(world.size, run_dir)
    restart = cfg.resume == "auto" and checkpoint is None  # interrupted before its first checkpoint, or a new run
    resumed_id = resumable_wandb_id(run_dir) if checkpoint else None
    resumed_precision = read_record(run_dir).get("precision") if checkpoint else None
    with (
        ignore_known_warnings(),
        stop_signals(f"{shlex.join(['brain-tumor', 'train', f'resume={run_dir}'])} continues it") as stop,
        RunRecord(
            run_dir, overwrite=cfg.overwrite or restart, resume=checkpoint is not None, config_files=files
        ) as record,
        open_loggers(cfg, resumed_id) as loggers,
    ):
        record.note(seed=cfg.seed, wandb_id=wandb_id(loggers), wandb_url=wandb_url(loggers), processes=world.size)
        if interrupted.changes:
            record.note(changed=[*record.facts.get("changed", []), {"time": utc_now()} | interrupted.changes])
        try_out(cfg)
        with start_workers(world, run_dir, partial(record.end, "failed")) as workers:
            with record.stage("data"):
                datamodule = load_data(cfg)
                if checkpoint:
                    log.info("Resuming the run in %s.", run_dir)
                    same_data(datamodule.samples, run_dir)
                write_table(datamodule.samples, run_dir / "samples.csv")
            record.note(data=data_facts(datamodule, cfg))
            if cfg.tune:
                with record.stage("tune"):
                    record.note(tuning=_tuned(cfg, datamodule, world, record.facts, resumed_precision))
            log_start(loggers, record.facts, datamodule.samples, cfg)
            with record.stage("fit"):
                prepared = prepare(cfg, datamodule, world, stop, loggers, resumed_precision)
                classifier = prepared.classifier
                record.note(model=model_facts(classifier, cfg), precision=prepared.precision)
                workers.join(cfg)
                with stop.deferred():
                    best = fit(prepared.trainer, classifier, datamodule, checkpoint)
        record.note(training=best.facts)
        with record.stage("predict"):
            trainer = fresh_trainer(cfg)
            predicted = predict(trainer, classifier, datamodule, best.checkpoint)
            images = {split: ImageRows(datamodule.images, datamodule.rows(split)) for split in predicted}
            outputs = partial(image_outputs, trainer, classifier, datamodule)
            located = _localized(predicted, datamodule, run_dir)
            predicted = {split: replace(each, table=located.tables[split]) for split, each in predicted.items()}
            ood = add_ood_scores(predicted, images, outputs, run_dir, cfg.ood.reject_share, cfg.seed)
        with record.stage("evaluate"):
            notes = [*notes_for_readers(datamodule, cfg), *ood.notes]
            inputs = training_input(ood, located, classifier, datamodule, record.facts, notes, cfg)
            evidence = compute_evidence(inputs, record, cfg)
        with record.stage("bundle"):
            pack(run_dir)
        with record.stage("report"):
            write_report(inputs, evidence, record, cfg)
            log_results(loggers, run_dir, record.facts, evidence.results, ood.tables["test"], datamodule, classifier)
    show_next_commands(run_dir, generated=uses_phantoms(cfg))
    return TrainedRun(run_dir, evidence.results, best.score)


def _tuned(
    cfg: DictConfig, datamodule: ScanDataModule, world: World, facts: dict[str, Any], precision: str | None
) -> dict[str, Any]:
    """Tune, or apply what was found before the run was interrupted."""
    if "tuning" not in facts:
        return tune(cfg, datamodule, world, precision)
    apply(facts["tuning"], cfg, datamodule)
    found: dict[str, Any] = facts["tuning"]
    return found


def _localized(predicted: dict[str, Predicted], datamodule: ScanDataModule, run_dir: Path) -> Localization:
    """Measure the maps, and keep them; without a trained map nothing is added."""
    tables = {split: each.table for split, each in predicted.items()}
    maps = {split: each.maps for split, each in predicted.items() if each.maps is not None}
    if datamodule.masks is None or not maps:
        return Localization(tables)
    write_maps(maps, run_dir)
    return localize(tables, maps, datamodule.samples, datamodule.images, datamodule.masks)


def _finished_run(run_dir: Path) -> TrainedRun:
    log.info("The run in %s is finished; there is nothing left to do.", run_dir)
    return TrainedRun(run_dir, read_results(run_dir), read_record(run_dir)["training"]["best"])
