"""Brain tumour detection and classification on MRI slices (research use, not a medical device)."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from brain_tumor.data.readers.reading import read_image as read_image
    from brain_tumor.serving.predictor import Predictor as Predictor

__version__ = "0.2.0"
CAUTION = "Research use only; not a medical device."
"""Notice on every page and table that shows results."""


def __getattr__(name: str) -> Any:
    """Import what the package offers on first use, so that ``import brain_tumor`` itself stays instant."""
    if name == "Predictor":
        from brain_tumor.serving.predictor import Predictor

        return Predictor
    if name == "read_image":
        from brain_tumor.data.readers.reading import read_image

        return read_image
    raise AttributeError(f"module 'brain_tumor' has no attribute {name!r}")
