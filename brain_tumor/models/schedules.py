"""Learning-rate schedules; each returns what Lightning's ``configure_optimizers`` expects for it."""

import math
from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, OneCycleLR, ReduceLROnPlateau

from brain_tumor.errors import require


def warmup_cosine(
    optimizer: Optimizer, *, total_steps: int, monitor: str, mode: str, warmup: float = 0.05, floor: float = 0.01
) -> dict[str, Any]:
    """Linear warm-up, then a half cosine, per optimizer step (Loshchilov 2017).

    Args:
        optimizer: Each group's rate is scaled alike.
        total_steps: Steps of the whole training.
        monitor: Not needed here.
        mode: Not needed here.
        warmup: Share of the steps in which the rate rises from near 0 to its full height.
        floor: Share of the rate that is left at the end.
    """
    del monitor, mode
    require(0 <= warmup <= 1, f"scheduler.warmup={warmup}", "a share from 0 to 1")
    require(0 <= floor <= 1, f"scheduler.floor={floor}", "a share from 0 to 1")
    rising = max(1, round(warmup * total_steps))

    def share(step: int) -> float:
        if step < rising:
            return (step + 1) / (rising + 1)
        progress = min(1.0, (step - rising) / max(1, total_steps - rising))
        return floor + (1 - floor) * (1 + math.cos(math.pi * progress)) / 2

    return {"scheduler": LambdaLR(optimizer, share), "interval": "step"}


def one_cycle(
    optimizer: Optimizer, *, total_steps: int, monitor: str, mode: str, warmup: float = 0.3, start: float = 0.04
) -> dict[str, Any]:
    """Up to the full rate and down to almost nothing, per optimizer step, with momentum the other way (Smith 2018).

    Args:
        optimizer: Each group's rate is scaled alike.
        total_steps: Steps of the whole training.
        monitor: Not needed here.
        mode: Not needed here.
        warmup: Share of the steps in which the rate rises.
        start: Share of the rate to begin with.
    """
    del monitor, mode
    require(0 < warmup < 1, f"scheduler.warmup={warmup}", "a share between 0 and 1")
    require(0 < start <= 1, f"scheduler.start={start}", "a share above 0, up to 1")
    rates = [group["lr"] for group in optimizer.param_groups]
    # it is stepped after the last training step, too
    schedule = OneCycleLR(optimizer, rates, total_steps + 1, pct_start=warmup, div_factor=1 / start)
    return {"scheduler": schedule, "interval": "step"}


def plateau(
    optimizer: Optimizer, *, total_steps: int, monitor: str, mode: str, factor: float = 0.3, patience: int = 3
) -> dict[str, Any]:
    """Multiply the rate by ``factor`` when the monitored value has not improved for more than ``patience`` epochs."""
    del total_steps
    scheduler = ReduceLROnPlateau(optimizer, mode=mode, factor=factor, patience=patience)  # type: ignore[arg-type]
    return {"scheduler": scheduler, "interval": "epoch", "monitor": monitor}


def constant(optimizer: Optimizer, *, total_steps: int, monitor: str, mode: str) -> dict[str, Any]:
    """The rate as it is."""
    del total_steps, monitor, mode
    return {"scheduler": LambdaLR(optimizer, lambda _: 1.0), "interval": "epoch"}
