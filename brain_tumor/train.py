"""``brain-tumor train``: compose → fit → evaluate the best weights on val and test → one run directory.

From Python::

    from brain_tumor.train import train

    run = train(["data=folder", "data.root=scans", "model=resnet18"], run_dir="runs/first")
    run.results["test"]["f1_macro"]
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from brain_tumor.cli.app import run_app
from brain_tumor.config.compose import compose
from brain_tumor.errors import ConfigError
from brain_tumor.training.distributed.world import outer_rank, resolve_world

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainedRun:
    """What a training left behind."""

    run_dir: Path
    """The run directory: ``results.json``, ``report.html``, ``predictions/``, ``checkpoints/``, ``figures/``, …"""
    results: dict[str, Any]
    """The content of ``results.json``."""
    monitored: float
    """The monitored validation metric of the best weights; what a sweep optimises."""


def train(overrides: Sequence[str] = (), run_dir: str | Path = "runs/python") -> TrainedRun:
    """Train and evaluate as ``brain-tumor train`` does.

    Args:
        overrides: As on the command line: ``["model=resnet18", "trainer.max_epochs=5"]``.
        run_dir: The one place the run writes to.

    Raises:
        BrainTumorError: A user's mistake, in one sentence.
    """
    from brain_tumor.run_dir.record import refuse_finished

    cfg = compose(overrides, run_dir)
    hydra_dir = Path(cfg.paths.run_dir) / ".hydra"
    if cfg.resume != "auto":
        refuse_finished(hydra_dir.parent, cfg.overwrite)
    try:
        hydra_dir.mkdir(parents=True, exist_ok=True)
        OmegaConf.save(cfg, hydra_dir / "config.yaml")
        OmegaConf.save(OmegaConf.create(list(overrides)), hydra_dir / "overrides.yaml")
    except OSError as error:
        raise ConfigError(f"The run directory {run_dir} cannot be written ({error}); choose another.") from error
    return run(cfg)


def run(cfg: DictConfig) -> TrainedRun:
    """Train and evaluate what a composed configuration says."""
    # torch and Lightning take seconds to import: not before the configuration is right
    from lightning import seed_everything

    from brain_tumor.data.samples import write_table
    from brain_tumor.pipelines import evaluation as conclusion
    from brain_tumor.pipelines.ood import fit_run_detector, write_predictions
    from brain_tumor.pipelines.run_facts import data_facts, model_facts
    from brain_tumor.run_dir.record import RunRecord, read_record
    from brain_tumor.run_dir.resume import checkpoint_to_resume
    from brain_tumor.tracking.log_run import log_results, log_start
    from brain_tumor.tracking.loggers import open_loggers, resumable_wandb_id, wandb_id
    from brain_tumor.training import build as assemble
    from brain_tumor.training.data import same_data
    from brain_tumor.training.distributed.launch import other_ranks
    from brain_tumor.training.fit import fit
    from brain_tumor.training.known_warnings import ignore_known_warnings
    from brain_tumor.training.precision import resolve_precision
    from brain_tumor.training.predict import predict
    from brain_tumor.training.signals import stop_signals

    run_dir = Path(cfg.paths.run_dir)
    world = resolve_world(cfg)
    if cfg.resume == "auto" and read_record(run_dir).get("status") == "finished" and not cfg.overwrite:
        return _done_before(run_dir)
    checkpoint = checkpoint_to_resume(run_dir, cfg.resume)
    resumed_id = resumable_wandb_id(run_dir) if checkpoint else None
    precision = read_record(run_dir).get("precision") if checkpoint else None
    with (
        ignore_known_warnings(),
        stop_signals() as stop,
        RunRecord(run_dir, overwrite=cfg.overwrite, resume=checkpoint is not None) as record,
        open_loggers(cfg, resumed_id) as loggers,
    ):
        seed_everything(cfg.seed, workers=True, verbose=False)
        record.note(seed=cfg.seed, wandb_id=wandb_id(loggers), processes=world.size)
        with other_ranks(world, run_dir, partial(record.end, "failed")) as ranks:
            with record.stage("data"):
                datamodule = assemble.build_datamodule(cfg)
                datamodule.load()
                if checkpoint:
                    log.info("Going on with the run in %s.", run_dir)
                    same_data(datamodule.samples, run_dir)
                write_table(datamodule.samples, run_dir / "samples.csv")
            record.note(data=data_facts(datamodule, cfg))
            log_start(loggers, record.facts, datamodule.samples, cfg)
            with record.stage("fit"):
                classifier = assemble.build_classifier(cfg, datamodule)
                precision = resolve_precision(cfg, classifier, world, precision)
                record.note(model=model_facts(classifier, cfg), precision=precision)
                trainer = assemble.build_trainer(cfg, loggers, stop)
                ranks.join(cfg)
                with stop.deferred():
                    best = fit(trainer, classifier, datamodule, checkpoint)
        record.note(training=best.facts)
        with record.stage("predict"):
            trainer = assemble.fresh_trainer(cfg)
            predicted = predict(trainer, classifier, datamodule, best.checkpoint)
            detector, notes = fit_run_detector(predicted, run_dir, cfg.ood.reject_share, cfg.seed)
            tables = write_predictions(predicted, detector, run_dir / "predictions")
        with record.stage("evaluate"):
            results = conclusion.evaluate(tables, datamodule, cfg)
        record.note(notes=[*conclusion.notes(datamodule, cfg), *notes])
        with record.stage("bundle"):
            conclusion.bundle(run_dir)
        with record.stage("report"):
            conclusion.present(record, tables, results, cfg)
            log_results(loggers, run_dir, record.facts, results, tables["test"], datamodule, classifier)
    return TrainedRun(run_dir, results, best.score)


def _done_before(run_dir: Path) -> TrainedRun:
    """A finished run, from its files."""
    from brain_tumor.run_dir.atomic import read_json
    from brain_tumor.run_dir.record import read_record

    log.info("The run in %s is finished; there is nothing left to do.", run_dir)
    results = read_json(run_dir / "results.json")
    return TrainedRun(run_dir, results, read_record(run_dir)["training"]["best"])


def _job(cfg: DictConfig) -> float | None:
    """What Hydra runs: rank 0 does everything, the ranks that torchrun or Slurm started beside it fit along."""
    from brain_tumor.callbacks.stop import PreemptedError
    from brain_tumor.training.signals import requeue

    if outer_rank() == 0:
        try:
            return run(cfg).monitored
        except PreemptedError:
            if cfg.resume == "auto":  # else the job would only start anew
                requeue()
            raise
    from brain_tumor.training.distributed.worker import train_as_worker

    train_as_worker(cfg)
    return None


def main() -> None:
    """The verb."""
    run_app("train", _job)


if __name__ == "__main__":
    main()
