"""The random-label control."""

import numpy as np
import pandas as pd


def random_labels(samples: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Give every group a random class out of those there are: a control in which there is nothing to be learnt.

    Whoever still predicts better than chance has recognised groups that stand on two sides of the split.
    """
    groups = sorted(set(samples["group"]))
    drawn = np.random.default_rng(seed).choice(sorted(set(samples["label"])), len(groups))
    return samples.assign(label=samples["group"].map(dict(zip(groups, drawn, strict=True))))
