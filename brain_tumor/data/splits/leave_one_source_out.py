"""Leave one source out: test on a hospital that the model was not trained on."""

from dataclasses import dataclass
from typing import ClassVar

import pandas as pd

from brain_tumor.data.splits.holdout import with_validation
from brain_tumor.errors import DataError


@dataclass(frozen=True)
class LeaveOneSourceOut:
    """All images of one source are the test; validation is drawn from the other sources by group.

    Images of other sources that share a group with the test are left out, so that the test is the whole source.
    """

    name: ClassVar = "leave_one_source_out"
    source: str | int = 0
    """Name of the test source, or its number among the sorted names, from 0; a name has precedence."""
    val: float = 0.15
    """Share of the images of other sources for validation."""
    seed: int = 0
    """Seed of the random draw."""

    def __call__(self, samples: pd.DataFrame) -> pd.DataFrame:
        """Fill ``split``, empty for images left out.

        Raises:
            DataError: There are fewer than two sources, images without a source, no such source, no images left for
                training, or fewer than two groups of a class.
        """
        tested = samples["source"] == self._name(samples)
        shared = ~tested & samples["group"].isin(set(samples["group"][tested]))
        if (tested | shared).all():
            raise DataError(
                f"split.source={self.source} leaves no training images: every image of the other sources shares a "
                "patient or image with it. Use split=grouped."
            )
        split = pd.Series("train", samples.index).mask(tested, "test").mask(shared, "")
        return with_validation(samples.assign(split=split), self.val, self.seed)

    def _name(self, samples: pd.DataFrame) -> str:
        names: list[str] = sorted(set(samples["source"]) - {""})
        if len(names) < 2:
            raise DataError(
                f"split=leave_one_source_out needs images of at least two sources, found {', '.join(names) or 'none'}: "
                "fill the column source of a data=manifest, or use split=grouped."
            )
        without_source = samples["sample_id"][samples["source"] == ""]
        if len(without_source):
            raise DataError(
                f"{len(without_source)} images have no source, first {without_source.iloc[0]!r}: fill the column "
                "source for all images; these might be of the source that is left out."
            )
        if str(self.source) in names:
            return str(self.source)
        if isinstance(self.source, int) and self.source in range(len(names)):
            return names[self.source]
        raise DataError(f"Invalid split.source={self.source}: expected {', '.join(names)} (or 0 to {len(names) - 1}).")
