"""The split that a data set was published with."""

from dataclasses import dataclass

import pandas as pd

from brain_tumor.data.splitting.holdout import with_validation
from brain_tumor.errors import DataError


@dataclass(frozen=True)
class Official:
    """The data set's own split as published; validation is taken from its training part where it has none."""

    val: float = 0.15
    """Share of the training part for validation, where the data set has no validation part."""
    seed: int = 0

    def __call__(self, samples: pd.DataFrame) -> pd.DataFrame:
        """Fill ``split``.

        Raises:
            DataError: The data set has no test part, or images that belong to no part.
        """
        require_parts(samples, "official")
        return with_validation(samples, self.val, self.seed)


def require_parts(samples: pd.DataFrame, name: str) -> None:
    """Refuse data that have no split of their own.

    Raises:
        DataError: The data set has no test part, or images that belong to no part.
    """
    own = samples["split"]
    if not {"train", "test"} <= set(own):
        raise DataError(f"split={name} needs data with a train and a test part of their own; use split=holdout.")
    if (own == "").any():
        raise DataError(
            f"{int((own == '').sum())} images belong to no part of the data set's own split; "
            "fill their split or use split=holdout."
        )
