"""A search space in Hydra's own syntax."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

from hydra.core.override_parser.types import IntervalSweep, Override, RangeSweep

from brain_tumor.errors import ConfigError, require
from brain_tumor.runtime.sweeping.jobs import REPLICATES

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution


def read_space(overrides: Sequence[Override]) -> tuple[dict[str, BaseDistribution], list[str]]:
    """Tell what is searched from what is fixed; of two overrides of one key the later counts.

    Args:
        overrides: ``key=choice(a,b)`` or ``key=a,b`` or a glob, ``range(start,stop,step)``, ``interval(low,high)``,
            each perhaps as ``tag(log,…)`` or ``int(…)``; anything else is fixed.

    Returns:
        Key, with its ``+`` where it has one, → distribution; and the fixed overrides.

    Raises:
        ConfigError: A distribution is not possible, or a seed or fold is to be searched.
    """
    last = {override.key_or_group: override for override in overrides}
    space, fixed = {}, []
    for key, override in last.items():
        if not override.is_sweep_override():
            fixed.append(str(override.input_line))
            continue
        text = override.input_line
        require(
            key not in REPLICATES, f"{text} in a search", f"{key} fixed: a search would only find the luckiest {key}"
        )
        try:
            space[override.get_key_element()] = _distribution(override)
        except ValueError as error:
            raise ConfigError(f"{text} cannot be searched: {error}") from error
    require(bool(space), "A search over nothing", "a key to search: 'optimizer.lr=tag(log,interval(1e-4,1e-2))'")
    return space, fixed


def _distribution(override: Override) -> BaseDistribution:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    sweep: Any = override.value()
    tags: set[str] = getattr(sweep, "tags", set())
    if unknown := tags - {"log"}:
        raise ValueError(f"the tag {', '.join(map(str, unknown))} means nothing; log does")
    log = "log" in tags
    if isinstance(sweep, IntervalSweep):
        low, high = cast("tuple[float, float]", (sweep.start, sweep.end))
        if isinstance(low, int) and isinstance(high, int):  # int(interval(1,9))
            return IntDistribution(low, high, log=log)
        return FloatDistribution(low, high, log=log)
    if isinstance(sweep, RangeSweep):
        values = list(sweep.range())
        if not values:
            raise ValueError("the range is empty")
        if isinstance(values[0], int):
            return IntDistribution(min(values), max(values), log=log, step=1 if log else abs(int(sweep.step)))
        return FloatDistribution(min(values), max(values), log=log, step=None if log else abs(float(sweep.step)))
    return CategoricalDistribution(list(override.sweep_string_iterator()))
