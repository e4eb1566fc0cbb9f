"""Predict val and test with frozen weights: each image exactly once, in one pass."""

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
from brain_tumor.types import GreyImage

_BATCH = 64
"""Images per batch of `image_outputs`."""
EVALUATED = ("val", "test")


@dataclass(frozen=True)
class Predicted:
    """Outputs of a network for the N images of one split."""

    table: pd.DataFrame
    """Predictions table, N rows."""
    logits: npt.NDArray[np.float32]
    """float32 [N, C]."""
    features: npt.NDArray[np.float32]
    """float32 [N, D], see `brain_tumor.models.features.features_and_logits`."""
    maps: npt.NDArray[np.float32] | None = None
    """Logit of each cell of a localizer's map, float32 [N, h, w]; None without a trained one."""


def predict(
    trainer: L.Trainer, classifier: Classifier, datamodule: ScanDataModule, checkpoint: Path
) -> dict[str, Predicted]:
    """Predict val and test with a checkpoint's weights.

    Args:
        trainer: New trainer on one device. The one that has fitted would use its raw weights instead of their average,
            and several ranks would repeat images to get equal shares.
        classifier: Classifier that receives the checkpoint's weights.
        datamodule: Loaded data module.
        checkpoint: Checkpoint file, read with ``weights_only=True``.

    Returns:
        Split → outputs.
    """
    classifier.load_state_dict(torch.load(checkpoint, map_location="cpu", weights_only=True)["state_dict"])
    outputs = trainer.predict(classifier, datamodule=datamodule)
    predicted = {}
    for split, batches in zip(EVALUATED, outputs or [], strict=True):
        rows, logits, features, *maps = (torch.cat(parts).cpu() for parts in zip(*batches, strict=True))
        probabilities = logits.double().softmax(dim=1).numpy()
        table = predictions_frame(datamodule.samples.iloc[rows.numpy()], datamodule.classes, probabilities)
        trained = maps and datamodule.masks is not None
        predicted[split] = Predicted(table, logits.numpy(), features.numpy(), maps[0].numpy() if trained else None)
    return predicted


def image_outputs(
    trainer: L.Trainer, classifier: Classifier, datamodule: ScanDataModule, images: GreyImage
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Compute features float32 [N, D] and logits float32 [N, C] of images that are in no split.

    Args:
        trainer: Trainer that `predict` was called with; its device is used.
        classifier: Classifier with the weights that `predict` loaded.
        datamodule: Loaded data module, for its normalisation.
        images: uint8 [N, S, S].
    """
    parts = []
    classifier.eval().to(trainer.strategy.root_device)
    with torch.inference_mode():
        for start in range(0, len(images), _BATCH):
            pixels = torch.from_numpy(images[start : start + _BATCH])[:, None].to(classifier.device)
            none = torch.zeros(len(pixels), dtype=torch.int64)
            _, logits, features, *_ = classifier.predict_step((datamodule.normalize(pixels), none, none))
            parts.append((features.cpu().numpy(), logits.cpu().numpy()))
    classifier.cpu()
    features_of_parts, logits_of_parts = zip(*parts, strict=True)
    return np.concatenate(features_of_parts), np.concatenate(logits_of_parts)
