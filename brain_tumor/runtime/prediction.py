"""From frozen weights to predictions tables: each image of val and test exactly once."""

from pathlib import Path

import lightning as L
import pandas as pd
import torch

from brain_tumor.data.datamodule import ScanDataModule
from brain_tumor.data.samples import write_table
from brain_tumor.evaluation.predictions import predictions_frame
from brain_tumor.models.classifier import Classifier

EVALUATED = ("val", "test")


def predict(
    trainer: L.Trainer, classifier: Classifier, datamodule: ScanDataModule, checkpoint: Path, folder: Path
) -> dict[str, pd.DataFrame]:
    """Predict val and test with a checkpoint's weights and write ``<folder>/<split>.csv``.

    Args:
        trainer: A fresh one, on one device: one that has fitted would evaluate its raw weights, not an average of them,
            and several ranks would repeat images to come out even.
        classifier: Takes the checkpoint's weights.
        datamodule: Loaded.
        checkpoint: Loaded with ``weights_only=True``.
        folder: Made if it is missing.

    Returns:
        The predictions table of each split.
    """
    classifier.load_state_dict(torch.load(checkpoint, map_location="cpu", weights_only=True)["state_dict"])
    outputs = trainer.predict(classifier, datamodule=datamodule)
    folder.mkdir(parents=True, exist_ok=True)
    tables = {}
    for split, batches in zip(EVALUATED, outputs or [], strict=True):
        rows = torch.cat([rows for rows, _ in batches]).cpu().numpy()
        logits = torch.cat([logits for _, logits in batches]).cpu()
        probabilities = logits.double().softmax(dim=1).numpy()
        tables[split] = predictions_frame(datamodule.samples.iloc[rows], datamodule.classes, probabilities)
        write_table(tables[split], folder / f"{split}.csv")
    return tables
