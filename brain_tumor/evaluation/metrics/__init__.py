"""Metrics of a predictions table for many weightings of its images at once, and confidence intervals; no Lightning."""
