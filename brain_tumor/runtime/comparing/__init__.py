"""Comparing runs: which there are, what they have in common, and what a comparison leaves."""
