"""McNemar's test: is one model right where another is wrong more often than the other way round?"""

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import binom, binomtest


def mcnemar(first: npt.NDArray[np.bool_], second: npt.NDArray[np.bool_]) -> dict[str, Any]:
    """The exact conditional test (McNemar 1947), and its mid-p, which is less conservative (Fagerland et al. 2013).

    Both take images for independent: with several images a patient they are too sure.

    Args:
        first: bool [N], where the first model is right.
        second: bool [N], where the second is, on the same images.

    Returns:
        ``only_first`` and ``only_second`` (images that only one has right), ``p`` and ``mid_p``, both two-sided in
        [0, 1].
    """
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    fewer, discordant = min(only_first, only_second), only_first + only_second
    p = float(binomtest(fewer, discordant).pvalue) if discordant else 1.0
    at = float(binom.pmf(fewer, discordant, 0.5))
    mid_p = p - (at / 2 if only_first == only_second else at)
    return {
        "only_first": only_first,
        "only_second": only_second,
        "p": p,
        "mid_p": mid_p if discordant else 1.0,
    }
