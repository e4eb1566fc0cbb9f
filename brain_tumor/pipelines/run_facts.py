"""Facts of the data and the model for ``run.json``, and the notes that readers of the results need."""

from typing import Any

from omegaconf import DictConfig

from brain_tumor.data.audit.verdict import shortcut_findings
from brain_tumor.data.datamodule import ScanDataModule
from brain_tumor.data.duplicates.leakage import leak_counts
from brain_tumor.data.public.groups.tracing import grouping_statement
from brain_tumor.data.public.registry import SETS
from brain_tumor.models.classifier import Classifier
from brain_tumor.models.optim import resolve_lr
from brain_tumor.models.protocol import Localizer, backbone_of
from brain_tumor.training.data_from_config import data_name, split_name


def data_facts(datamodule: ScanDataModule, cfg: DictConfig) -> dict[str, Any]:
    """Name, origin, digest, classes, the count of images at each step, what leaks, and where groups came from."""
    return {
        "name": data_name(cfg),
        **_origin(cfg.data.adapter.get("name")),
        "digest": datamodule.digest,
        "classes": list(datamodule.classes),
        **datamodule.counts,
        "files": datamodule.files,
        "groups": datamodule.samples["group"].nunique(),
        "patients": int((datamodule.samples["patient_id"].drop_duplicates() != "").sum()),
        "grouping": grouping_statement(datamodule.samples),
        "split": split_name(cfg, datamodule.published_splits),
        "leakage": leak_counts(datamodule.leakage),
        "curation": datamodule.curation,
        "corrections": datamodule.corrected,
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
        "name": cfg.model.get("name") or type(backbone_of(classifier.network)).__name__,
        "localizer": isinstance(classifier.network, Localizer),
        "parameters": sum(parameter.numel() for parameter in classifier.network.parameters()),
        "image_size": cfg.data.image_size,
        "lr": resolve_lr(cfg.optimizer.get("lr", "auto"), classifier.network)[0],
        "weights": cfg.model.get("weights") or ("hub" if cfg.model.get("pretrained") else "none"),
    }


def _some_batches_only(trainer: DictConfig) -> bool:
    """Return whether batches were left out; Lightning reads a whole number as batches and a fraction as their share."""
    limits = [trainer[f"limit_{loop}_batches"] for loop in ("train", "val", "predict")]
    all_batches = [limit is None or (isinstance(limit, float) and limit == 1) for limit in limits]
    return bool(trainer.overfit_batches) or not all(all_batches)


def uses_phantoms(cfg: DictConfig) -> bool:
    """Return whether the images are generated phantoms."""
    return bool(cfg.data.adapter._target_.startswith("brain_tumor.data.phantom"))


def notes_for_readers(datamodule: ScanDataModule, cfg: DictConfig) -> list[str]:
    """Return the sentences that a reader must know before the figures."""
    from brain_tumor.data.audit.shortcuts import shortcuts  # scikit-learn takes seconds to import

    notes = []
    if uses_phantoms(cfg):
        notes.append("These are generated phantoms: the figures say that the system works, nothing about patients.")
    if cfg.data.random_labels:
        notes.append("Classes are random, one per patient (data.random_labels=true): a result above chance is leakage.")
    if cfg.split.tuning:
        notes.append(
            "This run is for tuning (split.tuning=true): the test set is left out, and what is called test is half of "
            "validation."
        )
    if corrected := datamodule.corrected:
        notes.append(
            f"{corrected['relabelled']} images have another class than in the data set, and {corrected['left_out']} "
            f"are left out ({corrected['file']})."
        )
    leaks = leak_counts(datamodule.leakage)
    if any(leaks.values()):
        notes.append(
            f"This split leaks, and that was allowed (split.allow_leakage=true): {leaks['test_in_train']} test and "
            f"{leaks['val_in_train']} val images share a patient or an image with train, {leaks['test_in_val']} test "
            "images with val. These figures are inflated."
        )
    found = shortcut_findings(shortcuts(datamodule.samples, datamodule.facts))
    notes += [sentence for _, sentence in sorted(found, reverse=True)]
    if (datamodule.samples["patient_id"] == "").any():
        statement = grouping_statement(datamodule.samples)
        notes.append(f"{statement[0].upper()}{statement[1:]}.")
    if _some_batches_only(cfg.trainer):
        notes.append("Only some batches were run (debug): the figures mean nothing.")
    return notes
