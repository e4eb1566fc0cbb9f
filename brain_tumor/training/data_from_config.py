"""Load data and build splits from a composed configuration. Needs no torch."""

from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from omegaconf import DictConfig

from brain_tumor.config.instantiate import bind, build_function, call, plain, target_name
from brain_tumor.data.folder_and_manifest import complete_samples
from brain_tumor.data.listing import Listing
from brain_tumor.data.loaded_data import LoadedData, load
from brain_tumor.data.samples import COLUMNS, read_table
from brain_tumor.data.splits import without_test
from brain_tumor.errors import DataError

_SAME = ["sample_id", "label", "group", "split", "sha256"]
Split = Callable[[pd.DataFrame], pd.DataFrame]


def load_data(cfg: DictConfig) -> LoadedData:
    """Load the data that the ``data`` group names."""
    return load(**loading_arguments(cfg))


def loading_arguments(cfg: DictConfig) -> dict[str, Any]:
    """Return the arguments of `brain_tumor.data.loaded_data.load`."""
    place = cfg.data.get("root") or cfg.data.get("manifest")
    return {
        "adapter": partial(_list_samples, cfg),
        "cache_dir": Path(cfg.paths.cache_dir).expanduser().absolute(),
        "cache": cfg.data.cache,
        "cache_limit_gb": cfg.paths.cache_limit_gb,
        "image_size": cfg.data.image_size,
        "on_error": cfg.data.on_error,
        "masks": cfg.data.get("masks"),
        "corrections": cfg.data.get("corrections"),
        "root": Path(place).expanduser() if place else None,
    }


def _list_samples(cfg: DictConfig) -> Listing:
    """Call the function that lists the samples, and complete the table of a user's own."""
    listed = call(bind(cfg.data.adapter, "data.adapter"), "data")
    if isinstance(listed, Listing):
        return listed
    source = f"The table of data.adapter._target_={cfg.data.adapter._target_}"
    if not isinstance(listed, pd.DataFrame) or list(listed.columns) != list(COLUMNS):
        listed = complete_samples(listed, source, Path.cwd())
    return Listing(listed, {})


def build_split(cfg: DictConfig) -> Split:
    """Build the function that fills the column ``split`` of a samples table."""
    recipe = plain(cfg.split)
    recipe.pop("allow_leakage")  # an argument of the data module
    tuning = recipe.pop("tuning", False)  # an audit has no such key
    split = partial(call, build_function(recipe, "split"), "split")
    return (lambda samples: without_test(split(samples), cfg.split.get("seed", 0))) if tuning else split


def data_name(cfg: DictConfig) -> str:
    """Return the name of the data as on the command line."""
    return str(cfg.data.get("root") or cfg.data.get("manifest") or target_name(cfg.data.adapter, "data.adapter"))


def split_name(cfg: DictConfig, published: Collection[str]) -> str:
    """Return the name of the split as on the command line; for ``auto``, of the split that it chooses.

    Args:
        cfg: Composed configuration.
        published: Splits that the data were published with.
    """
    name = target_name(cfg.split, "split")
    if name == "auto":
        return "official" if "test" in published else "grouped"
    return name


def same_data(samples: pd.DataFrame, run_dir: Path) -> None:
    """Refuse to resume a run with other data, or another split, than it started with.

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
            f"The data or their split differ from those that the run in {run_dir} started with "
            f"({len(before)} images then, {len(now)} now); start a new run."
        )
