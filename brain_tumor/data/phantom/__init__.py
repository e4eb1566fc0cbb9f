"""Phantoms: procedural brain MR slices for trials and tests.

They are synthetic. A result on them shows that the system works; it says nothing about patients.
"""

from brain_tumor.data.phantom.patients import Patient, draw_patients, render
from brain_tumor.data.phantom.store import phantom

__all__ = ["Patient", "draw_patients", "phantom", "render"]
