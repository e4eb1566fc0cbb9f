"""Which slices of a volume become samples."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from brain_tumor.errors import require

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
