"""What ``run.json`` says of the data and the model."""

from typing import Any

from omegaconf import DictConfig

from brain_tumor.data.datamodule import ScanDataModule
from brain_tumor.data.duplicates.leakage import leak_counts
from brain_tumor.data.public.registry import SETS
from brain_tumor.models.classifier import Classifier
from brain_tumor.models.optim import resolve_lr
from brain_tumor.training.data import data_name, split_name


def data_facts(datamodule: ScanDataModule, cfg: DictConfig) -> dict[str, Any]:
    """Name, origin, digest, classes, the count of images at each step, what leaks, and where groups came from."""
    return {
        "name": data_name(cfg),
        **_origin(cfg.data.adapter.get("name")),
        "digest": datamodule.digest,
        "classes": list(datamodule.classes),
        **datamodule.counts,
        "groups": datamodule.samples["group"].nunique(),
        "split": split_name(cfg, datamodule.published),
        "leakage": leak_counts(datamodule.leakage),
        "curation": datamodule.curation,
    }


def _origin(name: str | None) -> dict[str, str]:
    """Source, version, licence and citation of a public set; nothing is known of other data."""
    if name is None or name not in SETS:
        return {}
    published = SETS[name]
    return {
        "source": published.page,
        "version": published.releases[0].version or "not numbered",
        "licence": published.licence,
        "citation": published.citation,
    }


def model_facts(classifier: Classifier, cfg: DictConfig) -> dict[str, Any]:
    """Name, size, input, start and learning rate of the network."""
    return {
        "name": cfg.model.get("name") or type(classifier.network).__name__,
        "parameters": sum(parameter.numel() for parameter in classifier.network.parameters()),
        "image_size": cfg.data.image_size,
        "lr": resolve_lr(cfg.optimizer.lr, classifier.network)[0],
        "weights": cfg.model.get("weights") or ("hub" if cfg.model.get("pretrained") else "none"),
    }
