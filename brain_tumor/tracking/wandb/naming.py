"""Default name, group and tags of a wandb run."""

from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from brain_tumor.config.instantiate import target_name

_MAX_TAG_LENGTH = 64  # wandb's own limit


def default_names(cfg: DictConfig) -> dict[str, Any]:
    """Return ``name`` (data, model, number of the sweep's job), ``group`` (directory of the sweep) and ``tags``.

    Outside of a sweep the name has no number and the group is None.
    """
    group, job_number = _sweep_and_job(cfg)
    data, model = short_data_name(cfg), _model_name(cfg)
    return {
        "name": "_".join([data, model, *([job_number] if job_number else [])]),
        "group": group,
        "tags": [shorten_tag(data), shorten_tag(model)],
    }


def short_data_name(cfg: DictConfig) -> str:
    """Return the name of the public set, of the data's folder or manifest without their paths, or ``phantom``."""
    if name := cfg.data.adapter.get("name"):
        return str(name)
    if root := cfg.data.get("root"):
        return Path(root).expanduser().resolve().name
    return Path(cfg.data.get("manifest") or "phantom").stem


def shorten_tag(tag: str) -> str:
    """Cut a tag to the length that wandb allows."""
    return tag[:_MAX_TAG_LENGTH]


def _model_name(cfg: DictConfig) -> str:
    """Return the name of a timm model, else the option ``model=…`` that builds the network, else its class."""
    if name := cfg.model.get("name"):
        return str(name)
    return target_name(cfg.model, "model")


def _sweep_and_job(cfg: DictConfig) -> tuple[str | None, str | None]:
    """Return the name of the sweep's directory and the number of the job, or None for both outside of a sweep."""
    if not HydraConfig.initialized():
        return None, None
    hydra_cfg = HydraConfig.get()
    # a training started from Python within a job of a sweep has another run directory: it is not the job itself
    if hydra_cfg.mode != RunMode.MULTIRUN or hydra_cfg.runtime.output_dir != cfg.paths.run_dir:
        return None, None
    return Path(hydra_cfg.sweep.dir).name, str(hydra_cfg.job.num)
