"""Experiment loggers, and what a run sends them."""
