"""Small pictures side by side in one figure."""

from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

OUTLINE = "#56B4E9"
_SIDE = 1.35  # inches


def grid(lines: int, columns: int, text: float = 0.0) -> tuple[Figure, npt.NDArray[Any]]:
    """A figure of square tiles without ticks, with a column for text on the left, ``text`` tiles wide, if not 0.

    Returns:
        The figure, and its axes [lines, columns], or with the text's before them.
    """
    widths = ([text] if text else []) + [1.0] * columns
    figure = Figure(figsize=(_SIDE * sum(widths), (_SIDE + 0.25) * lines + 0.35), layout="constrained")
    axes = figure.subplots(lines, len(widths), squeeze=False, width_ratios=widths)
    for each in axes.ravel():
        each.set_xticks([])
        each.set_yticks([])
        each.set_frame_on(False)
    return figure, axes


def show(
    axes: Axes, picture: npt.NDArray[np.uint8], caption: str = "", mask: npt.NDArray[np.bool_] | None = None
) -> None:
    """Draw a grey or coloured picture, a caption below it, and the outline of a mask that is not empty."""
    axes.imshow(picture, cmap="gray", vmin=0, vmax=255)
    axes.set_xlabel(caption, fontsize=7.5, labelpad=2)
    if mask is not None and mask.any():
        axes.contour(mask.astype(np.float64), levels=[0.5], colors=OUTLINE, linewidths=1.2, linestyles="--")
