"""Predictions of large sets: in blocks that fit in memory, and by several jobs, whose tables are merged."""

import csv
import hashlib
import heapq
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import filelock
import numpy as np
import pandas as pd

from brain_tumor.errors import ConfigError, require
from brain_tumor.run_dir.atomic import published_file
from brain_tumor.types import Rows

BLOCK = 2048
"""Images that are predicted before what was found is written: their answers and maps take some 15 MB."""


@dataclass(frozen=True)
class Shard:
    """One of several equal shares of the images; slices of one volume are never separated."""

    number: int
    """From 0."""
    count: int

    def __post_init__(self) -> None:
        require(0 <= self.number < self.count, f"shard={self.number}", f"a whole number from 0 to {self.count - 1}")

    def of(self, samples: pd.DataFrame) -> pd.DataFrame:
        """Return the rows of a samples table that belong to this share."""
        chosen: pd.DataFrame = samples[_units(samples) % self.count == self.number]
        return chosen.reset_index(drop=True)


def blocks(samples: pd.DataFrame, size: int = BLOCK) -> Iterator[pd.DataFrame]:
    """Cut a samples table into blocks of ``size`` rows or more, where that would cut a volume; of no rows, one."""
    if samples.empty:
        yield samples
    units = _units(samples)
    rows = np.arange(len(units))
    last = pd.Series(rows).groupby(units).transform("max").to_numpy()  # row of the last slice of the same volume
    ends = np.flatnonzero(np.maximum.accumulate(last) == rows) + 1
    start = 0
    while start < len(units):
        end = int(ends[min(int(np.searchsorted(ends, start + size)), len(ends) - 1)])
        yield samples.iloc[start:end].reset_index(drop=True)
        start = end


def _units(samples: pd.DataFrame) -> Rows:
    """Number what must stay together, volumes and single images, by first appearance: int64 [N]."""
    unit = samples["series"].where(samples["series"] != "", samples["path"])
    return pd.factorize(unit)[0].astype(np.int64)


class Parts:
    """The tables of all shards of one set, beside the table that they are merged to.

    Args:
        output: File of the merged table, CSV.
        samples: Samples table of the whole set.
        version: Version of the model.
        count: Number of shards.

    Raises:
        ConfigError: ``output`` is no CSV file.
    """

    def __init__(self, output: Path, samples: pd.DataFrame, version: str, count: int) -> None:
        if output.suffix.lower() != ".csv":
            raise ConfigError(f"Invalid output={output} with shards={count}: expected a name that ends in .csv.")
        told = "\n".join([version, *samples["sample_id"], *samples["path"]])
        self._set = hashlib.sha256(told.encode()).hexdigest()[:12]  # parts of another set or model are not merged
        self._output, self._samples, self._count = output, samples, count

    def part(self, shard: Shard) -> Path:
        """Return the file of a shard's table."""
        name = f"{self._output.stem}.{self._set}.{shard.number}-of-{self._count}.csv"
        return self._output.with_name(name)

    def merge(self) -> bool:
        """Merge the tables of images and of volumes once those of all shards are there; returns whether they are.

        Rows have the order of the samples table, and are copied as text, one at a time. The merged tables replace the
        parts.
        """
        parts = [self.part(Shard(number, self._count)) for number in range(self._count)]
        with filelock.FileLock(self._output.with_name(f".{self._output.name}.lock")):
            if not all(part.is_file() for part in parts):
                return False
            volumes = [path for part in parts if (path := volumes_file(part)).is_file()]
            if volumes:
                _merge(volumes, volumes_file(self._output), "series", self._samples["series"])
            _merge(parts, self._output, "sample_id", self._samples["sample_id"])
            for part in [*parts, *volumes]:
                part.unlink()
        return True


def volumes_file(images: Path) -> Path:
    """Return the file of the table of volumes that belongs to a table of images."""
    return images.with_name(f"{images.stem}_volumes{images.suffix}")


def _merge(parts: Sequence[Path], output: Path, key: str, names: "pd.Series[str]") -> None:
    """Merge tables that are sorted by the first appearance of ``key`` in ``names`` to one that is, too."""
    rank = {name: number for number, name in enumerate(dict.fromkeys(names))}
    with ExitStack() as files, published_file(output) as draft:
        tables: list[Iterator[list[str]]] = [
            csv.reader(files.enter_context(part.open(encoding="utf-8", newline=""))) for part in parts
        ]
        header, *_ = [next(table) for table in tables]
        column = header.index(key)

        def rank_of(row: list[str]) -> int:
            return rank[row[column]]

        merged = heapq.merge(*tables, key=rank_of)
        with draft.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(header)
            writer.writerows(merged)
