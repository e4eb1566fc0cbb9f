"""``brain-tumor train``: compose → fit → evaluate the best weights on val and test → one run directory.

From Python::

    from brain_tumor.train import train

    run = train(["data=folder", "data.root=scans", "model=resnet18"], run_dir="runs/first")
    run.results["test"]["f1_macro"]
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from brain_tumor.errors import ConfigError
from brain_tumor.runtime.app import run_app
from brain_tumor.runtime.config import compose


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
    from brain_tumor.runtime.record import refuse_finished

    cfg = compose(overrides, run_dir)
    hydra_dir = Path(cfg.paths.run_dir) / ".hydra"
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
    from brain_tumor.runtime import assemble, conclusion
    from brain_tumor.runtime.facts import data_facts, model_facts
    from brain_tumor.runtime.fitting import fit
    from brain_tumor.runtime.loggers import open_loggers, wandb_id
    from brain_tumor.runtime.noise import without_noise
    from brain_tumor.runtime.prediction import predict
    from brain_tumor.runtime.publishing import describe, publish
    from brain_tumor.runtime.record import RunRecord

    run_dir = Path(cfg.paths.run_dir)
    with without_noise(), RunRecord(run_dir, overwrite=cfg.overwrite) as record, open_loggers(cfg) as loggers:
        seed_everything(cfg.seed, workers=True, verbose=False)
        record.note(seed=cfg.seed, wandb_id=wandb_id(loggers))
        with record.stage("data"):
            datamodule = assemble.build_datamodule(cfg)
            datamodule.load()
            write_table(datamodule.samples, run_dir / "samples.csv")
        record.note(data=data_facts(datamodule, cfg))
        describe(loggers, record.facts, datamodule.samples, cfg)
        with record.stage("fit"):
            classifier = assemble.build_classifier(cfg, datamodule)
            record.note(model=model_facts(classifier, cfg))
            best = fit(assemble.build_trainer(cfg, loggers), classifier, datamodule)
        record.note(training=best.facts)
        with record.stage("predict"):
            trainer = assemble.fresh_trainer(cfg)
            tables = predict(trainer, classifier, datamodule, best.checkpoint, run_dir / "predictions")
        with record.stage("evaluate"):
            results = conclusion.evaluate(tables, datamodule, cfg)
        conclusion.present(record, tables, results, datamodule, cfg)
        publish(loggers, run_dir, record.facts, results, tables["test"], datamodule, classifier)
    return TrainedRun(run_dir, results, best.score)


def main() -> None:
    """The verb."""
    run_app("train", lambda cfg: run(cfg).monitored)


if __name__ == "__main__":
    main()
