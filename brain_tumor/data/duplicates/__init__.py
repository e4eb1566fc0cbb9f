"""Duplicates: which images show the same slice or patient, and how many of them leak across a split."""
