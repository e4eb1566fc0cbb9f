"""Which slices of a volume become samples: the policies, and the cached tissue areas that they depend on."""

import contextlib
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from brain_tumor.data.readers.memory import File
from brain_tumor.data.readers.reading import READING_VERSION
from brain_tumor.errors import require
from brain_tumor.run_dir.atomic import published_file

PLANES = ("sagittal", "coronal", "axial")
"""The plane perpendicular to each axis (x, y, z) of patient coordinates."""

MIN_RELATIVE_AREA = 0.25
"""Smallest tissue area of a useful slice, as a share of the largest area in its volume."""


@dataclass(frozen=True)
class SlicePolicy:
    """A rule that selects slices of a volume, such as ``largest:1``; parsed by `parse_slice_policy`."""

    rule: str
    """largest, every, index or all."""
    numbers: tuple[int, ...] = ()
    """Arguments of the rule."""

    def __str__(self) -> str:
        """Return the text that `parse_slice_policy` parses to this policy."""
        return ":".join(filter(None, (self.rule, ",".join(map(str, self.numbers)))))

    def choose(self, count: int, areas: Callable[[], Sequence[float]]) -> list[int]:
        """Return the numbers of the selected slices, ascending.

        Args:
            count: Number of slices in the volume.
            areas: Function that returns the tissue area of each slice; called only if the rule depends on it.
        """
        if count == 1:
            return [0]
        match self.rule:
            case "all":
                return list(range(count))
            case "index":
                return sorted({number for number in self.numbers if number < count})
            case "largest":
                sizes = areas()
                return sorted(sorted(range(count), key=lambda number: (-sizes[number], number))[: self.numbers[0]])
        sizes = areas()
        large_enough = [number for number in range(count) if sizes[number] >= MIN_RELATIVE_AREA * max(sizes)]
        return large_enough[:: self.numbers[0]]


def parse_slice_policy(text: str) -> SlicePolicy:
    """Parse a slice policy.

    ``largest:N`` selects the N slices with the most tissue (usually neighbours); ``every:N`` every N-th of the slices
    with at least a quarter of the largest area; ``index:I,J,…`` slices by number from 0, as far as a volume has them;
    ``all`` all slices. N is 1 by default. The only slice of a volume is always selected.

    Raises:
        ConfigError: The text is not a policy.
    """
    rule, _, rest = str(text).strip().partition(":")
    parts = [part.strip() for part in rest.split(",")] if rest else []
    numbers = tuple(int(part) for part in parts if part.isascii() and part.isdigit() and len(part) < 10)
    valid = len(numbers) == len(parts) and {
        "all": not parts,
        "index": bool(parts),
        "largest": len(parts) <= 1 and 0 not in numbers,
        "every": len(parts) <= 1 and 0 not in numbers,
    }.get(rule, False)
    require(valid, f"data.slices={text}", "largest:N, every:N, index:I,J or all")
    return SlicePolicy(rule, numbers if rule in ("all", "index") else numbers or (1,))


def cached_areas(
    cache_dir: Path | None, files: Sequence[File], key: str, measure: Callable[[], list[float]]
) -> list[float]:
    """Return the tissue areas of a volume from the cache; measure and store them if they are not in it.

    A cache that cannot be written only costs the time to measure again.

    Args:
        cache_dir: Folder of the cache; None, or files in memory: it is measured without a cache.
        files: Files that the areas depend on; an entry is valid while their sizes and times do not change.
        key: Distinguishes several lists of areas of the same files.
        measure: Function that computes the areas.
    """
    on_disk = [file for file in files if isinstance(file, Path)]
    if cache_dir is None or len(on_disk) < len(files):
        return measure()
    digest = hashlib.sha256(f"{READING_VERSION} {key}".encode(errors="replace"))
    for file in sorted(set(on_disk)):
        stat = file.stat()
        digest.update(f"\n{file} {stat.st_size} {stat.st_mtime_ns}".encode(errors="replace"))
    entry = cache_dir / "areas" / f"{digest.hexdigest()[:16]}.json"
    try:
        return [float(area) for area in json.loads(entry.read_text())]
    except (OSError, ValueError):
        areas = measure()
    with contextlib.suppress(OSError):
        entry.parent.mkdir(parents=True, exist_ok=True)
        with published_file(entry) as draft:
            draft.write_text(json.dumps(areas))
    return areas
