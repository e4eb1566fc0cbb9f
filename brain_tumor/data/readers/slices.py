"""Which slices of a volume become samples, and how much each slice shows."""

import contextlib
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from brain_tumor.data.readers.reading import READING_VERSION
from brain_tumor.errors import require
from brain_tumor.run_dir.atomic import published_file

ENOUGH = 0.25
"""Share of the largest area from which a slice shows enough of the head to be of use."""


@dataclass(frozen=True)
class SlicePolicy:
    """A rule such as ``largest:1``, read from text by `slice_policy`."""

    rule: str
    """largest, every, index or all."""
    numbers: tuple[int, ...] = ()

    def __str__(self) -> str:
        """The text it is read from."""
        return ":".join(filter(None, (self.rule, ",".join(map(str, self.numbers)))))

    def choose(self, count: int, areas: Callable[[], Sequence[float]]) -> list[int]:
        """Numbers of the slices chosen out of ``count``, ascending.

        Args:
            count: Slices there are.
            areas: Tells how much tissue each shows; called only where the rule needs it.
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
        enough = [number for number in range(count) if sizes[number] >= ENOUGH * max(sizes)]
        return enough[:: self.numbers[0]]


def slice_policy(text: str) -> SlicePolicy:
    """Read a slice policy.

    ``largest:N`` takes the N slices that show the most tissue (neighbours, as a rule), ``every:N`` every n-th of those
    that show at least a quarter of the largest area, ``index:I,J,…`` slices by number from 0 as far as a volume has
    them, ``all`` all. N is 1 where it is left out. The only slice there is is always taken.

    Raises:
        ConfigError: The text says none of these.
    """
    rule, _, rest = str(text).strip().partition(":")
    parts = [part.strip() for part in rest.split(",")] if rest else []
    numbers = tuple(int(part) for part in parts if part.isascii() and part.isdigit() and len(part) < 10)
    good = len(numbers) == len(parts) and {
        "all": not parts,
        "index": bool(parts),
        "largest": len(parts) <= 1 and 0 not in numbers,
        "every": len(parts) <= 1 and 0 not in numbers,
    }.get(rule, False)
    require(good, f"data.slices={text}", "largest:N, every:N, index:I,J or all")
    return SlicePolicy(rule, numbers if rule in ("all", "index") else numbers or (1,))


def remembered(
    cache_dir: Path | None, files: Sequence[Path], what: str, measure: Callable[[], list[float]]
) -> list[float]:
    """Areas from ``cache_dir``, measured and written there if these files, as they are now, never were.

    Args:
        cache_dir: None measures anew each time.
        files: What the areas depend on.
        what: Tells areas of the same files apart.
        measure: Does the work.

    A folder that cannot be written to only costs the time to measure again.
    """
    if cache_dir is None:
        return measure()
    digest = hashlib.sha256(f"{READING_VERSION} {what}".encode(errors="replace"))
    for file in sorted(set(files)):
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
