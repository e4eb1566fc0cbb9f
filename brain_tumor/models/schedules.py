"""Learning-rate schedules, each in the form that Lightning's ``configure_optimizers`` expects.

All take ``total_steps``, ``monitor`` and ``mode``, so that they are interchangeable; each uses what it needs.
"""

import math
from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, OneCycleLR, ReduceLROnPlateau

from brain_tumor.errors import require


def warmup_cosine(
    optimizer: Optimizer, *, total_steps: int, monitor: str, mode: str, warmup: float = 0.05, floor: float = 0.01
) -> dict[str, Any]:
    """Build a linear warm-up followed by half a cosine, per optimizer step (Loshchilov 2017).

    Args:
        optimizer: Optimizer whose groups are all scaled by the same factor.
        total_steps: Number of optimizer steps of the training.
        monitor: Ignored.
        mode: Ignored.
        warmup: Fraction of the steps in which the rate rises from near 0 to its maximum, in [0, 1].
        floor: Fraction of the rate that remains at the end, in [0, 1].

    Raises:
        ConfigError: ``warmup`` or ``floor`` is outside [0, 1].
    """
    del monitor, mode
    require(0 <= warmup <= 1, f"scheduler.warmup={warmup}", "a number from 0 to 1")
    require(0 <= floor <= 1, f"scheduler.floor={floor}", "a number from 0 to 1")
    warmup_steps = max(1, round(warmup * total_steps))

    def factor(step: int) -> float:
        if step < warmup_steps:
            return (step + 1) / (warmup_steps + 1)
        progress = min(1.0, (step - warmup_steps) / max(1, total_steps - warmup_steps))
        return floor + (1 - floor) * (1 + math.cos(math.pi * progress)) / 2

    return {"scheduler": LambdaLR(optimizer, factor), "interval": "step"}


def one_cycle(
    optimizer: Optimizer, *, total_steps: int, monitor: str, mode: str, warmup: float = 0.3, start: float = 0.04
) -> dict[str, Any]:
    """Build a cycle up to the full rate and down to almost 0, per step, with opposite momentum (Smith 2018).

    Args:
        optimizer: Optimizer whose groups are all scaled by the same factor.
        total_steps: Number of optimizer steps of the training.
        monitor: Ignored.
        mode: Ignored.
        warmup: Fraction of the steps in which the rate rises, in (0, 1).
        start: Fraction of the rate at the first step, in (0, 1].

    Raises:
        ConfigError: ``warmup`` or ``start`` is out of range.
    """
    del monitor, mode
    require(0 < warmup < 1, f"scheduler.warmup={warmup}", "a number between 0 and 1")
    require(0 < start <= 1, f"scheduler.start={start}", "a number above 0, up to 1")
    rates = [group["lr"] for group in optimizer.param_groups]
    # one step more, since Lightning also steps the schedule after the last training step
    schedule = OneCycleLR(optimizer, rates, total_steps + 1, pct_start=warmup, div_factor=1 / start)
    return {"scheduler": schedule, "interval": "step"}


def plateau(
    optimizer: Optimizer, *, total_steps: int, monitor: str, mode: str, factor: float = 0.3, patience: int = 3
) -> dict[str, Any]:
    """Multiply the rate by ``factor`` when ``monitor`` has not improved for more than ``patience`` epochs."""
    del total_steps
    scheduler = ReduceLROnPlateau(optimizer, mode=mode, factor=factor, patience=patience)  # type: ignore[arg-type]
    return {"scheduler": scheduler, "interval": "epoch", "monitor": monitor}


def constant(optimizer: Optimizer, *, total_steps: int, monitor: str, mode: str) -> dict[str, Any]:
    """Keep the learning rate constant."""
    del total_steps, monitor, mode
    return {"scheduler": LambdaLR(optimizer, lambda _: 1.0), "interval": "epoch"}
