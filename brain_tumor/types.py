"""Array types that many rooms use; each docstring that mentions one states its shape."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
"""Scores, probabilities, weights."""
Rows = npt.NDArray[np.int64]
"""Row numbers, labels, group numbers."""
Flags = npt.NDArray[np.bool_]
"""One yes or no per row."""
GreyImage = npt.NDArray[np.uint8]
"""One grey image [H, W], or several [N, H, W]."""

UNKNOWN_MASK = 255
"""Value of all pixels of a mask, uint8 [S, S], of an image whose tumour nobody outlined."""
