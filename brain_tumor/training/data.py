"""From the composed configuration to data: adapter, split and what is loaded. Needs no torch."""

from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from omegaconf import DictConfig

from brain_tumor.config.instantiate import build, call, plain, target_name
from brain_tumor.data.loading import LoadedData, load
from brain_tumor.data.samples import read_table
from brain_tumor.errors import DataError

_SAME = ["sample_id", "label", "group", "split", "sha256"]
Split = Callable[[pd.DataFrame], pd.DataFrame]


def load_data(cfg: DictConfig) -> LoadedData:
    """Load what ``data`` names."""
    return load(**loading_arguments(cfg))


def loading_arguments(cfg: DictConfig) -> dict[str, Any]:
    """Arguments of `brain_tumor.data.loading.load`."""
    place = cfg.data.get("root") or cfg.data.get("manifest")
    return {
        "adapter": partial(call, build(cfg.data.adapter, "data.adapter"), "data"),
        "cache_dir": Path(cfg.paths.cache_dir).expanduser().absolute(),
        "cache": cfg.data.cache,
        "cache_limit_gb": cfg.paths.cache_limit_gb,
        "image_size": cfg.data.image_size,
        "on_error": cfg.data.on_error,
        "root": Path(place).expanduser() if place else None,
    }


def build_split(cfg: DictConfig) -> Split:
    """What fills the samples table's ``split``."""
    recipe = plain(cfg.split)
    recipe.pop("allow_leakage")  # the data module's
    return partial(call, build(recipe, "split"), "split")


def data_name(cfg: DictConfig) -> str:
    """The data as the command line names them."""
    return str(cfg.data.get("root") or cfg.data.get("manifest") or "phantom")


def split_name(cfg: DictConfig, published: Collection[str]) -> str:
    """The split as the command line names it; for ``auto`` the one that it takes.

    Args:
        cfg: Configuration.
        published: Splits that the data set was published with.
    """
    name = target_name(cfg.split, "split")
    if name == "auto":
        return "official" if "test" in published else "grouped"
    return name


def same_data(samples: pd.DataFrame, run_dir: Path) -> None:
    """Refuse to go on with other data, or another split, than a run began with.

    Raises:
        DataError: The tables differ.
    """
    path = run_dir / "samples.csv"
    if not path.is_file():
        return
    before = read_table(path)[_SAME].reset_index(drop=True)
    now = samples[_SAME].astype(str).reset_index(drop=True)
    if not before.equals(now):
        raise DataError(
            f"The data or their split are not those that the run in {run_dir} began with ({len(before)} images then, "
            f"{len(now)} now); start a new run."
        )
