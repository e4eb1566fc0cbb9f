"""The split that suits the data."""

from dataclasses import dataclass

import pandas as pd

from brain_tumor.data.splitting.grouped import Grouped
from brain_tumor.data.splitting.official import Official


@dataclass(frozen=True)
class Auto:
    """The data set's own split where it has one, else the leak-free split `Grouped`."""

    val: float = 0.15
    test: float = 0.15
    seed: int = 0

    def __call__(self, samples: pd.DataFrame) -> pd.DataFrame:
        """Fill ``split`` as `Official` or `Grouped` would.

        Raises:
            DataError: As these.
        """
        if "test" in set(samples["split"]):
            return Official(self.val, self.seed)(samples)
        return Grouped(self.val, self.test, seed=self.seed)(samples)
