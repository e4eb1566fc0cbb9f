"""Metrics of predictions, for many weightings of the images at once, and their confidence intervals."""
