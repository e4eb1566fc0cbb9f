"""What a run is called in wandb, unless its user calls it something else."""

from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from brain_tumor.config.instantiate import target_name

_LONGEST_TAG = 64  # of wandb's


def identity(cfg: DictConfig) -> dict[str, Any]:
    """``name`` (data, model, in a sweep the job's number), ``group`` (the sweep's directory, or None) and ``tags``."""
    group, number = _sweep(cfg)
    data, model = short_data_name(cfg), model_name(cfg)
    return {
        "name": "_".join([data, model, *([number] if number else [])]),
        "group": group,
        "tags": [as_tag(data), as_tag(model)],
    }


def short_data_name(cfg: DictConfig) -> str:
    """Name of a public set, of the data's folder or manifest, or ``phantom``; no path."""
    if name := cfg.data.adapter.get("name"):
        return str(name)
    if root := cfg.data.get("root"):
        return Path(root).expanduser().resolve().name
    return Path(cfg.data.get("manifest") or "phantom").stem


def model_name(cfg: DictConfig) -> str:
    """A timm model's own name, else the option that the network comes from."""
    if name := cfg.model.get("name"):
        return str(name)
    return target_name(cfg.model, "model")


def as_tag(word: str) -> str:
    """As long as wandb allows."""
    return word[:_LONGEST_TAG]


def _sweep(cfg: DictConfig) -> tuple[str | None, str | None]:
    if not HydraConfig.initialized():
        return None, None
    hydra_cfg = HydraConfig.get()
    # a training started from Python inside of someone's sweep has a directory of its own and is no job of it
    if hydra_cfg.mode != RunMode.MULTIRUN or hydra_cfg.runtime.output_dir != cfg.paths.run_dir:
        return None, None
    return Path(hydra_cfg.sweep.dir).name, str(hydra_cfg.job.num)
