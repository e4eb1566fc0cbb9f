"""The run directory: atomic writes, ``run.json``, resuming. Must not know about data or models."""
