"""Experiment loggers, and what a run logs besides Lightning's curves. Must not know how a run trains."""
