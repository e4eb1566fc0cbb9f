"""Which axis a curve has in wandb, and what of it stands in the summary."""

from typing import Any

BEST = {
    "train/loss": "min",
    "val/loss": "min",
    "val/f1_macro": "max",
    "val/accuracy": "max",
    "val/balanced_accuracy": "max",
    "val/auroc": "max",
}
"""Of each curve of epochs, which value is best. Each is named: wandb keeps no best values for patterns."""


def define_metrics(run: Any) -> None:
    """Curves of epochs over the epoch, the others over optimizer steps; of the former keep the best and the last value.

    ``summary["val/f1_macro"]`` becomes ``{"max": …, "last": …}``, ``summary["val/loss"]`` ``{"min": …, "last": …}``.
    """
    run.define_metric("trainer/global_step", hidden=True)
    run.define_metric("epoch", hidden=True)
    run.define_metric("*", step_metric="trainer/global_step", step_sync=True)
    for name, best in BEST.items():
        run.define_metric(name, step_metric="epoch", step_sync=True, summary=f"{best},last")
