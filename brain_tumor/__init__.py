"""Honest brain tumour detection and classification on MRI slices (research use, not a medical device)."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from brain_tumor.serving.predictor import Predictor as Predictor

__version__ = "0.1.0"
CAUTION = "Research use only; not a medical device."
"""Stands wherever results are shown."""


def __getattr__(name: str) -> Any:
    """`Predictor`, imported when it is asked for: importing the package stays instant."""
    if name == "Predictor":
        from brain_tumor.serving.predictor import Predictor

        return Predictor
    raise AttributeError(f"module 'brain_tumor' has no attribute {name!r}")
