"""Honest brain tumour detection and classification on MRI slices (research use, not a medical device)."""

__version__ = "0.1.0"
CAUTION = "Research use only; not a medical device."
"""Stands wherever results are shown."""
