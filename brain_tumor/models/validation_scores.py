"""Validation metrics over all images and ranks, the same to the bit however the images were dealt out."""

import numpy as np
import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.functional.classification import (
    multiclass_accuracy,
    multiclass_auroc,
    multiclass_f1_score,
)
from torchmetrics.utilities import dim_zero_cat


class ValidationScores(Metric):
    """Keeps what was predicted for each row of the samples table; a row that several ranks predicted counts once.

    Args:
        classes: Number of classes.
    """

    full_state_update = False
    rows: list[Tensor]
    labels: list[Tensor]
    losses: list[Tensor]
    probabilities: list[Tensor]

    def __init__(self, classes: int) -> None:
        super().__init__()
        self._classes = classes
        for name in ("rows", "labels", "losses", "probabilities"):
            self.add_state(name, default=[], dist_reduce_fx="cat")

    def update(self, rows: Tensor, labels: Tensor, logits: Tensor) -> None:
        """Rows int64 [B], classes int64 [B] and logits [B, C]."""
        logits = logits.float()
        self.rows.append(rows)
        self.labels.append(labels)
        self.losses.append(torch.nn.functional.cross_entropy(logits, labels, reduction="none"))
        self.probabilities.append(logits.softmax(dim=1))

    def compute(self) -> dict[str, Tensor]:
        """Scalars: ``loss`` (mean cross-entropy), ``f1_macro``, ``accuracy``, ``balanced_accuracy``, ``auroc``."""
        rows, labels, losses, probabilities = (
            dim_zero_cat(state) for state in (self.rows, self.labels, self.losses, self.probabilities)
        )
        first = torch.as_tensor(np.unique(rows.cpu().numpy(), return_index=True)[1], device=rows.device)
        labels, losses, probabilities = labels[first], losses[first], probabilities[first]
        n = self._classes
        return {
            "loss": losses.double().mean().float(),
            "f1_macro": multiclass_f1_score(probabilities, labels, n, average="macro"),
            "accuracy": multiclass_accuracy(probabilities, labels, n, average="micro"),
            "balanced_accuracy": multiclass_accuracy(probabilities, labels, n, average="macro"),
            "auroc": multiclass_auroc(probabilities, labels, n, average="macro"),
        }
