"""What ``run.json`` says of the data and the model."""

from typing import Any

from omegaconf import DictConfig

from brain_tumor.data.datamodule import ScanDataModule
from brain_tumor.models.classifier import Classifier


def data_facts(datamodule: ScanDataModule, cfg: DictConfig) -> dict[str, Any]:
    """Name, digest, classes, the count of images at each step, and what overlaps."""
    adapter = cfg.data.adapter
    return {
        "name": adapter.get("root") if "root" in cfg.data else adapter.get("manifest", "phantom"),
        "digest": datamodule.digest,
        "classes": list(datamodule.classes),
        **datamodule.counts,
        "overlap": datamodule.overlap,
        "split": cfg.split._target_.rpartition(".")[2].lower(),
    }


def model_facts(classifier: Classifier, cfg: DictConfig) -> dict[str, Any]:
    """Name, size, input and start of the network."""
    return {
        "name": cfg.model.get("name") or type(classifier.network).__name__,
        "parameters": sum(parameter.numel() for parameter in classifier.network.parameters()),
        "image_size": cfg.data.image_size,
        "weights": cfg.model.get("weights") or ("hub" if cfg.model.get("pretrained") else "none"),
    }
