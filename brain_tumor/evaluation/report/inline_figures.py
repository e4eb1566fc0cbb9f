"""Figures as part of a page: SVG in its colours, light or dark, or a raster image where SVG would be larger."""

import html
import io
import re

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from brain_tumor.evaluation.report.page import InlineFigure
from brain_tumor.evaluation.report.raster import data_uri
from brain_tumor.types import GreyImage

_DPI = 130
_LARGEST_SVG = 250_000
"""Characters of an SVG beyond which a raster image is smaller: a figure of very many points."""
ON_COLOUR = "#fefefe"
"""White of text on a dark area of a plot, which stays white in light and dark pages."""
_GREY = re.compile(r"#([0-9a-f]{2})\1\1\b")
_DROPPED = re.compile(
    r'<metadata>.*?</metadata>|<style [^>]*>.*?</style>|<!--.*?-->| xmlns(?::xlink)?="[^"]*"', re.DOTALL
)


def inline_figure(figure: Figure, caption: str) -> InlineFigure:
    """Convert a figure to markup. The title of a single plot is dropped, as the page has the caption.

    Args:
        figure: Figure of matplotlib.
        caption: Description for all readers, those of a screen reader too.
    """
    titled = [axes for axes in figure.axes if axes.get_title()]
    if len(titled) == 1:
        titled[0].set_title("")
    width = round(96 * figure.get_figwidth())
    if not any(axes.images for axes in figure.axes):
        markup = svg(figure, caption)
        if len(markup) <= _LARGEST_SVG:
            return InlineFigure(markup, width)
    return InlineFigure(f'<img src="{data_uri(_pixels(figure))}" alt="{html.escape(caption)}">', width)


def svg(figure: Figure, caption: str) -> str:
    """Render a figure as SVG whose text, axes and background have the colours and the font of the page."""
    for axes in figure.axes:
        axes.patch.set_visible(False)
    buffer = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": caption}):
        figure.savefig(buffer, format="svg", facecolor="none", metadata={"Date": None})
    text = _DROPPED.sub("", buffer.getvalue())
    text = text[text.index("<svg") :]
    text = re.sub(r'<g id="[^"]*"', "<g", text)  # such ids repeat from figure to figure
    text = _GREY.sub(_page_colour, text)
    text = re.sub(r' (?:width|height)="[\d.]+pt"', "", text, count=2)
    text = text.replace("<svg", f'<svg role="img" aria-label="{html.escape(caption)}"', 1)
    return re.sub(r"\n\s*", "\n", text).strip()


def _page_colour(grey: re.Match[str]) -> str:
    """Return the colour of the page in place of black, grey or white."""
    if grey[0] in (ON_COLOUR, "#ffffff"):
        return "var(--box)" if grey[0] == "#ffffff" else ON_COLOUR
    level = int(grey[1], 16)
    return "currentColor" if level < 64 else "var(--soft)" if level < 192 else "var(--line)"


def _pixels(figure: Figure) -> GreyImage:
    """Render a figure as RGB image, uint8 [H, W, 3]."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=_DPI)
    with Image.open(buffer) as image:
        return np.asarray(image.convert("RGB"))
