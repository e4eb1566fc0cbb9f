"""What samples and their split must be like to train on."""

import pandas as pd

from brain_tumor.data.samples import SPLITS
from brain_tumor.errors import DataError


def check_classes(samples: pd.DataFrame) -> None:
    """Refuse samples of fewer than two classes.

    Raises:
        DataError: There is only one.
    """
    classes = sorted(set(samples["label"]))
    if len(classes) < 2:
        raise DataError(f"Only one class was found ({', '.join(classes)}); a classifier needs two at least.")


def check_split(samples: pd.DataFrame) -> None:
    """Refuse a split that cannot be trained and tested; images with an empty ``split`` are left out of it.

    Raises:
        DataError: An empty side, or a class that is tested but never trained.
    """
    for side in SPLITS:
        if side not in set(samples["split"]):
            raise DataError(f"The split has no {side} images; every split needs train, val and test.")
    trained = set(samples["label"][samples["split"] == "train"])
    for side in ("val", "test"):
        unseen = sorted(set(samples["label"][samples["split"] == side]) - trained)
        if unseen:
            raise DataError(
                f"The {side} part holds classes that training has none of: {', '.join(unseen)}; "
                f"trained are {', '.join(sorted(trained))}. Add training images, remove these, or use split=holdout."
            )
