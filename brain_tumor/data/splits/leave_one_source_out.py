"""Leave one source out: how well does it do at a hospital it has never seen?"""

from dataclasses import dataclass
from typing import ClassVar

import pandas as pd

from brain_tumor.data.splits.holdout import with_validation
from brain_tumor.errors import DataError


@dataclass(frozen=True)
class LeaveOneSourceOut:
    """All images of one source are the test; validation is taken from the others by group.

    Images of other sources whose group stands in the test, too, are left out: the test is to be the whole source.
    """

    name: ClassVar = "leave_one_source_out"
    source: str | int = 0
    """Name of the source, or its number among the sorted names, from 0; a name goes before a number."""
    val: float = 0.15
    """Share of the other sources for validation."""
    seed: int = 0

    def __call__(self, samples: pd.DataFrame) -> pd.DataFrame:
        """Fill ``split``, empty for images left out.

        Raises:
            DataError: Fewer than two sources, images of no source, an unknown source, nothing left to train on, or
                fewer than two groups of a class.
        """
        tested = samples["source"] == self._name(samples)
        shared = ~tested & samples["group"].isin(set(samples["group"][tested]))
        if (tested | shared).all():
            raise DataError(
                f"Every image of another source shares a patient or image with split.source={self.source}; nothing "
                "is left to train on. Use split=grouped."
            )
        split = pd.Series("train", samples.index).mask(tested, "test").mask(shared, "")
        return with_validation(samples.assign(split=split), self.val, self.seed)

    def _name(self, samples: pd.DataFrame) -> str:
        names: list[str] = sorted(set(samples["source"]) - {""})
        if len(names) < 2:
            raise DataError(
                f"split=leave_one_source_out needs images of two sources at least, found {', '.join(names) or 'none'}; "
                "name them in the column source of a data=manifest, or use split=grouped."
            )
        nameless = samples["sample_id"][samples["source"] == ""]
        if len(nameless):
            raise DataError(
                f"{len(nameless)} images have no source, first {nameless.iloc[0]!r}; name the source of all, for they "
                "might be of the one left out."
            )
        if str(self.source) in names:
            return str(self.source)
        if isinstance(self.source, int) and self.source in range(len(names)):
            return names[self.source]
        raise DataError(
            f"split.source={self.source} does not exist; there are {', '.join(names)} (or 0 to {len(names) - 1})."
        )
