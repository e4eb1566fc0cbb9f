"""Checks of samples and their split before training."""

import pandas as pd

from brain_tumor.data.samples import SPLITS
from brain_tumor.errors import DataError


def check_classes(samples: pd.DataFrame) -> None:
    """Refuse samples of fewer than two classes.

    Raises:
        DataError: All samples are of one class.
    """
    classes = sorted(set(samples["label"]))
    if len(classes) < 2:
        raise DataError(f"Found only one class ({', '.join(classes)}): a classifier needs at least two; add another.")


def check_split(samples: pd.DataFrame) -> None:
    """Refuse a split that cannot be trained and tested on; images with an empty ``split`` are ignored.

    Raises:
        DataError: One of train, val and test is empty, or val or test has a class that train lacks.
    """
    for split in SPLITS:
        if split not in set(samples["split"]):
            raise DataError(f"The split has no {split} images: expected images in each of train, val and test.")
    trained = set(samples["label"][samples["split"] == "train"])
    for split in ("val", "test"):
        missing = sorted(set(samples["label"][samples["split"] == split]) - trained)
        if missing:
            raise DataError(
                f"The {split} split has classes that are missing in train: {', '.join(missing)}; train has "
                f"{', '.join(sorted(trained))}. Add training images, remove these, or use split=holdout."
            )
