"""Predictions of a large set by several jobs or machines: each takes a share, the last one merges the tables."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import filelock
import pandas as pd

from brain_tumor.data.samples import read_table, write_table
from brain_tumor.errors import ConfigError, require


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
        unit = samples["series"].where(samples["series"] != "", samples["path"])
        chosen: pd.DataFrame = samples[pd.factorize(unit)[0] % self.count == self.number]
        return chosen.reset_index(drop=True)


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

        Rows have the order of the samples table; the merged tables replace the parts.
        """
        parts = [self.part(Shard(number, self._count)) for number in range(self._count)]
        with filelock.FileLock(self._output.with_name(f".{self._output.name}.lock")):
            if not all(part.is_file() for part in parts):
                return False
            order = {name: number for number, name in enumerate(self._samples["sample_id"])}
            images = _joined(parts).sort_values("sample_id", key=lambda ids: ids.map(order), ignore_index=True)
            volumes = [volumes_file(part) for part in parts]
            if any(each.is_file() for each in volumes):
                joined = _joined([each for each in volumes if each.is_file()])
                rank = {name: number for number, name in enumerate(dict.fromkeys(self._samples["series"]))}
                joined = joined.sort_values("series", key=lambda names: names.map(rank), ignore_index=True)
                write_table(joined, volumes_file(self._output))
            write_table(images, self._output)
            for part in [*parts, *volumes]:
                part.unlink(missing_ok=True)
        return True


def volumes_file(images: Path) -> Path:
    """Return the file of the table of volumes that belongs to a table of images."""
    return images.with_name(f"{images.stem}_volumes{images.suffix}")


def _joined(parts: list[Path]) -> pd.DataFrame:
    """Read tables as text, so that nothing of them changes, and put them one below the other."""
    return pd.concat([read_table(part) for part in parts], ignore_index=True).fillna("")
