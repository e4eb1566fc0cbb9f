"""Classes taken together, so that a model and data that name them differently can be compared."""

from collections.abc import Iterable, Mapping

import numpy as np
import numpy.typing as npt

from brain_tumor.data.labels import HEALTHY
from brain_tumor.errors import ConfigError, DataError

BINARY = "binary"


def class_mapping(
    asked: str | Mapping[str, str] | None, classes: Iterable[str], labels: Iterable[str]
) -> dict[str, str]:
    """What each class of a model and each label of the data counts as.

    Args:
        asked: None for as they are, "binary" for tumour against healthy, or some of their names → new names.
        classes: The model's.
        labels: The data's.

    Raises:
        ConfigError: Neither of the three, or a name that neither model nor data have.
        DataError: The data have a label that the model cannot give.
    """
    classes, labels = list(classes), sorted(set(labels))
    names = list(dict.fromkeys([*classes, *labels]))
    if asked == BINARY:
        mapping = {name: name if name == HEALTHY else "tumor" for name in names}
    elif asked is None or isinstance(asked, Mapping):
        given = {str(old): str(new) for old, new in (asked or {}).items()}
        if strange := [name for name in given if name not in names]:
            raise ConfigError(
                f"class_map names {', '.join(strange)}; the model has {', '.join(classes)}, the data "
                f"{', '.join(labels)}."
            )
        mapping = {name: given.get(name, name) for name in names}
    else:
        raise ConfigError(f"Invalid class_map={asked}: expected binary, or '{{class: name, …}}', or null.")
    known = {mapping[name] for name in classes}
    if strange := [name for name in labels if mapping[name] not in known]:
        raise DataError(
            f"The data have the classes {', '.join(strange)}, which the model does not know (it knows "
            f"{', '.join(classes)}); say what they are, class_map='{{{strange[0]}: …}}', or take class_map=binary."
        )
    if len(known) < 2:
        raise ConfigError("class_map leaves the model a single class; expected two at least.")
    return mapping


def merged(
    probabilities: npt.NDArray[np.float64], classes: Iterable[str], mapping: Mapping[str, str]
) -> tuple[npt.NDArray[np.float64], tuple[str, ...]]:
    """Probabilities [N, C] of classes, added up where a mapping takes them together, and the new names, sorted."""
    old = [mapping[name] for name in classes]
    new = sorted(set(old))
    joined: npt.NDArray[np.float64] = probabilities @ (np.array(old)[:, None] == np.array(new)).astype(float)
    return joined, tuple(new)
