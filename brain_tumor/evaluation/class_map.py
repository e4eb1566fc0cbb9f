"""Merging of classes, so that a model can be evaluated on data whose classes are named or divided differently."""

from collections.abc import Iterable, Mapping

import numpy as np

from brain_tumor.data.labels import HEALTHY
from brain_tumor.errors import ConfigError, DataError
from brain_tumor.types import Floats

BINARY = "binary"


def class_mapping(
    class_map: str | Mapping[str, str] | None, classes: Iterable[str], labels: Iterable[str]
) -> dict[str, str]:
    """Map each class of a model and each label of the data to a merged class.

    Args:
        class_map: Setting ``class_map``: None keeps all names, "binary" maps to tumour and healthy, and a mapping
            renames some of the names.
        classes: Classes of the model.
        labels: Labels of the data.

    Returns:
        Class or label → merged class.

    Raises:
        ConfigError: ``class_map`` is none of the three, has a name that neither model nor data have, or leaves the
            model a single class.
        DataError: The data have a label that the model cannot predict.
    """
    classes, labels = list(classes), sorted(set(labels))
    names = list(dict.fromkeys([*classes, *labels]))
    if class_map == BINARY:
        mapping = {name: name if name == HEALTHY else "tumor" for name in names}
    elif class_map is None or isinstance(class_map, Mapping):
        renamed = {str(old): str(new) for old, new in (class_map or {}).items()}
        if unknown := [name for name in renamed if name not in names]:
            raise ConfigError(
                f"Invalid class_map: {', '.join(unknown)} is no class; expected classes of the model "
                f"({', '.join(classes)}) or of the data ({', '.join(labels)})."
            )
        mapping = {name: renamed.get(name, name) for name in names}
    else:
        raise ConfigError(f"Invalid class_map={class_map}: expected binary, '{{class: name, …}}', or null.")
    predictable = {mapping[name] for name in classes}
    if unknown := [name for name in labels if mapping[name] not in predictable]:
        raise DataError(
            f"The data have the classes {', '.join(unknown)}, which the model does not have (it has "
            f"{', '.join(classes)}); map them with class_map='{{{unknown[0]}: …}}', or use class_map=binary."
        )
    if len(predictable) < 2:
        raise ConfigError("Invalid class_map: it leaves the model a single class; expected at least two.")
    return mapping


def merge_classes(
    probabilities: Floats, classes: Iterable[str], mapping: Mapping[str, str]
) -> tuple[Floats, tuple[str, ...]]:
    """Add up the probabilities of classes that are merged.

    Args:
        probabilities: Probabilities float64 [N, C].
        classes: Names of the C classes.
        mapping: Class → merged class, see `class_mapping`.

    Returns:
        Probabilities float64 [N, M], and the names of the M merged classes, sorted.
    """
    targets = [mapping[name] for name in classes]
    merged = sorted(set(targets))
    summed: Floats = probabilities @ (np.array(targets)[:, None] == np.array(merged)).astype(float)
    return summed, tuple(merged)
