"""The words in which pages name metrics and facts: the only place where a field becomes a label."""

_METRICS = {
    "loss": "Loss",
    "f1_macro": "Macro-F1",
    "accuracy": "Accuracy",
    "balanced_accuracy": "Balanced accuracy",
    "auroc": "AUROC, each class against the rest",
    "auprc": "Average precision, each class against the rest",
    "mcc": "Matthews correlation (MCC)",
    "kappa": "Cohen's kappa",
    "ece": "Calibration error (ECE)",
    "ece_mass": "Calibration error, equally filled bins",
    "ece_classwise": "Calibration error, mean over classes",
    "brier": "Brier score",
    "nll": "Log loss (NLL)",
    "detection/auroc": "Detection AUROC, tumour or not",
    "detection/auprc": "Detection average precision",
    "detection/accuracy": "Detection accuracy",
    "detection/f1": "Detection F1",
    "detection/sensitivity": "Detection sensitivity",
    "detection/specificity": "Detection specificity",
    "detection/ppv": "Detection PPV",
    "detection/npv": "Detection NPV",
    "detection/slope": "Calibration slope of detection",
    "detection/intercept": "Calibration intercept of detection",
    "localization/pointing": "Map points at the tumour",
    "localization/dice": "Overlap of map and mask (Dice)",
    "localization/iou": "Overlap of map and mask (IoU)",
    "localization/iou50": "Tumours overlapped by half or more (IoU ≥ 0.5)",
    "localization/false_area": "Area marked on healthy images",
    "f1": "F1",
    "iou": "Overlap (IoU)",
    "ppv": "PPV",
    "npv": "NPV",
    "coverage": "Coverage",
    "aurc": "Area under the risk–coverage curve",
    "size": "Classes per set, mean",
    "single": "Sets of one class",
    "empty": "Empty sets",
    "pointing": "Maximum within tolerance",
    "pointing_exact": "Maximum inside the tumour",
}
"""Metric → its name, as a label begins."""
_COLUMNS = {
    "auprc": "AUPRC",
    "mcc": "MCC",
    "kappa": "Kappa",
    "ece": "ECE",
    "nll": "NLL",
    "detection/auprc": "Detection AUPRC",
    "localization/pointing": "Pointing accuracy",
    "localization/dice": "Dice",
    "localization/iou": "IoU",
    "localization/iou50": "IoU ≥ 0.5",
    "localization/false_area": "False area",
}
"""Metric → its name above a column of a paper, where that is shorter than `short_name`."""
_FACTS = {
    "found": "Images found",
    "distinct": "Distinct images",
    "train": "Training images",
    "val": "Validation images",
    "test": "Test images",
    "digest": "Data digest",
    "curation": "Known groups",
    "lr": "Learning rate",
    "monitor": "Selected by",
    "best": "Best value",
    "samples_per_second": "Images per second",
    "data_wait": "Time spent waiting for data, share",
    "cpus": "CPU cores",
    "gpus": "GPUs",
    "fit": "Training",
    "git": "Commit",
}
"""Key of ``run.json`` → its name, where the key alone says too little."""
SPLITS = {"train": "training", "val": "validation", "test": "test"}
"""Split → its name."""


def metric_name(name: str) -> str:
    """Name a metric in words: ``f1_macro`` → ``Macro-F1``.

    Args:
        name: Name in ``results.json``, ``sweep.csv`` or ``compare.json``; with ``val/`` or ``test/`` before it the
            split is named too, with a class behind it (``f1/glioma``) the class.
    """
    if name in _METRICS:
        return _METRICS[name]
    first, _, rest = name.partition("/")
    if first in SPLITS and rest:
        return f"{metric_name(rest)} ({SPLITS[first]})"
    if rest and first in _METRICS:
        return f"{short_name(first)}: {rest}"
    return f"{_plain(first)}: {rest.replace('_', ' ')}" if rest else _plain(name)


def short_name(name: str) -> str:
    """Name a metric in few words: ``auroc`` → ``AUROC``."""
    return metric_name(name).partition(",")[0]


def column_heading(name: str) -> str:
    """Name a metric as papers do above a column: ``auprc`` → ``AUPRC``."""
    return _COLUMNS.get(name) or short_name(name)


def fact_name(name: str) -> str:
    """Name a fact of ``run.json`` in words: ``image_size`` → ``Image size``."""
    return _FACTS.get(name) or _plain(name)


def in_sentence(label: str) -> str:
    """Begin a label with a small letter, unless it begins with an abbreviation: ``Macro-F1`` → ``macro-F1``."""
    return label if label[1:2].isupper() or label[1:2].isdigit() else label[:1].lower() + label[1:]


def _plain(name: str) -> str:
    text = name.replace("_", " ")
    return text[:1].upper() + text[1:]
