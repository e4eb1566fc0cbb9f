"""From frozen weights to what they say of val and test: each image exactly once, in one pass."""

from dataclasses import dataclass
from pathlib import Path

import lightning as L
import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from brain_tumor.data.datamodule import ScanDataModule
from brain_tumor.evaluation.predictions import predictions_frame
from brain_tumor.models.classifier import Classifier

EVALUATED = ("val", "test")


@dataclass(frozen=True)
class Predicted:
    """What a network makes of N images of one split."""

    table: pd.DataFrame
    """The predictions table."""
    logits: npt.NDArray[np.float32]
    """[N, classes]"""
    features: npt.NDArray[np.float32]
    """[N, D], see `brain_tumor.models.protocol.features_and_logits`."""


def predict(
    trainer: L.Trainer, classifier: Classifier, datamodule: ScanDataModule, checkpoint: Path
) -> dict[str, Predicted]:
    """Predict val and test with a checkpoint's weights.

    Args:
        trainer: A fresh one, on one device: one that has fitted would evaluate its raw weights, not an average of them,
            and several ranks would repeat images to come out even.
        classifier: Takes the checkpoint's weights.
        datamodule: Loaded.
        checkpoint: Loaded with ``weights_only=True``.

    Returns:
        Split → what was found.
    """
    classifier.load_state_dict(torch.load(checkpoint, map_location="cpu", weights_only=True)["state_dict"])
    outputs = trainer.predict(classifier, datamodule=datamodule)
    found = {}
    for split, batches in zip(EVALUATED, outputs or [], strict=True):
        rows, logits, features = (torch.cat(parts).cpu() for parts in zip(*batches, strict=True))
        probabilities = logits.double().softmax(dim=1).numpy()
        table = predictions_frame(datamodule.samples.iloc[rows.numpy()], datamodule.classes, probabilities)
        found[split] = Predicted(table, logits.numpy(), features.numpy())
    return found
