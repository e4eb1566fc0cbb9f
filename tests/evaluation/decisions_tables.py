"""Tables that tests of decisions share."""

import numpy as np
from test_metrics import predictions


def detection(scores, tumour):
    """Images with detection scores, tumour or not."""
    scores = np.array(scores, float)
    return predictions(np.array(tumour, int), np.stack([1 - scores, scores], axis=1), names=("no_tumor", "tumor"))
