"""Which axis a curve has in wandb, and what of it stands in the summary."""

from typing import Any


def define_metrics(run: Any) -> None:
    """Curves of epochs over the epoch, the others over optimizer steps; of validation keep the best and the last value.

    ``summary["val/f1_macro"]`` becomes ``{"max": …, "last": …}``, ``summary["val/loss"]`` ``{"min": …, "last": …}``.
    """
    run.define_metric("trainer/global_step", hidden=True)
    run.define_metric("epoch", hidden=True)
    run.define_metric("*", step_metric="trainer/global_step", step_sync=True)
    run.define_metric("train/loss", step_metric="epoch", step_sync=True, summary="min,last")
    run.define_metric("val/*", step_metric="epoch", step_sync=True, summary="max,last")
    run.define_metric("val/loss", step_metric="epoch", step_sync=True, summary="min,last")
