"""Learning-rate schedules beside those of ``torch.optim.lr_scheduler``, which can all be used as well.

``scheduler.interval`` says whether a schedule advances per step or per epoch; ``total_steps`` is its length in these.
"""

import math
from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR

from brain_tumor.errors import require


def warmup_cosine(optimizer: Optimizer, total_steps: int, warmup: float = 0.05, floor: float = 0.01) -> LRScheduler:
    """Build a linear warm-up followed by half a cosine (Loshchilov 2017).

    Args:
        optimizer: Optimizer whose groups are all scaled by the same factor.
        total_steps: Number of steps of the training.
        warmup: Fraction of the steps in which the rate rises from near 0 to its maximum, in [0, 1].
        floor: Fraction of the rate that remains at the end, in [0, 1].

    Raises:
        ConfigError: ``warmup`` or ``floor`` is outside [0, 1].
    """
    require(0 <= warmup <= 1, f"scheduler.warmup={warmup}", "a number from 0 to 1")
    require(0 <= floor <= 1, f"scheduler.floor={floor}", "a number from 0 to 1")
    warmup_steps = max(1, round(warmup * total_steps))

    def factor(step: int) -> float:
        if step < warmup_steps:
            return (step + 1) / (warmup_steps + 1)
        progress = min(1.0, (step - warmup_steps) / max(1, total_steps - warmup_steps))
        return floor + (1 - floor) * (1 + math.cos(math.pi * progress)) / 2

    return LambdaLR(optimizer, factor)


def one_cycle(optimizer: Optimizer, total_steps: int, warmup: float = 0.3, start: float = 0.04) -> LRScheduler:
    """Build a cycle up to the full rate and down to almost 0, with opposite momentum (Smith 2018).

    Args:
        optimizer: Optimizer whose groups are all scaled by the same factor.
        total_steps: Number of steps of the training.
        warmup: Fraction of the steps in which the rate rises, in (0, 1).
        start: Fraction of the rate at the first step, in (0, 1].

    Raises:
        ConfigError: ``warmup`` or ``start`` is out of range.
    """
    require(0 < warmup < 1, f"scheduler.warmup={warmup}", "a number between 0 and 1")
    require(0 < start <= 1, f"scheduler.start={start}", "a number above 0, up to 1")
    rates = [group["lr"] for group in optimizer.param_groups]
    # one step more, since Lightning also steps the schedule after the last training step
    return _OneCycle(optimizer, rates, total_steps + 1, pct_start=warmup, div_factor=1 / start)


class _OneCycle(OneCycleLR):
    """torch's `OneCycleLR`; after a restart it has the length of the present training, not of the interrupted one."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the position within the cycle."""
        length = ("total_steps", "_schedule_phases")
        super().load_state_dict({name: value for name, value in state_dict.items() if name not in length})


def constant(optimizer: Optimizer) -> LRScheduler:
    """Keep the learning rate constant."""
    return LambdaLR(optimizer, lambda _: 1.0)
