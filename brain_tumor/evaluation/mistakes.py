"""The wrong predictions that teach most: those that a model was surest of."""

import numpy as np
import pandas as pd

from brain_tumor.evaluation.predictions import Predictions


def surest_mistakes(predictions: Predictions, limit: int = 32) -> pd.DataFrame:
    """Wrong predictions, the surest first.

    Returns:
        At most ``limit`` rows of ``sample_id, label, prediction, probability`` (of the prediction) and ``group``.
    """
    found = predictions.found
    table = pd.DataFrame(
        {
            "sample_id": predictions.frame["sample_id"].to_numpy(),
            "label": np.array(predictions.classes, dtype=object)[predictions.labels],
            "prediction": np.array(predictions.classes, dtype=object)[found],
            "probability": predictions.probabilities.max(axis=1),
            "group": predictions.frame["group"].to_numpy() if "group" in predictions.frame else "",
        }
    )
    wrong: pd.DataFrame = table[found != predictions.labels]
    return wrong.sort_values("probability", ascending=False, kind="stable", ignore_index=True).iloc[:limit]
