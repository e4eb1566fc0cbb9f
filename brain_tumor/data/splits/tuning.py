"""The split of a tuning run, which leaves the test set unseen."""

import pandas as pd

from brain_tumor.data.splits.holdout import assign_by_group


def without_test(samples: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Leave out the test images, and let half of the validation groups take their place.

    Settings can be compared on what is left without a look at the test set; both halves have every class.

    Args:
        samples: Samples table with ``split`` filled.
        seed: Seed of the random halves.

    Raises:
        DataError: A class has fewer than two groups in validation.
    """
    validation = samples["split"] == "val"
    split = samples["split"].mask(samples["split"] == "test", "")
    split[validation] = assign_by_group(samples[validation], {"val": 0.5, "test": 0.5}, seed, "split.tuning=true")
    return samples.assign(split=split)
