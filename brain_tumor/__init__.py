"""Honest brain tumour detection and classification on MRI slices (research use, not a medical device)."""

__version__ = "0.1.0"
