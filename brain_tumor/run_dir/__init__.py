"""The run directory: atomic writes, ``run.json``, what a run can resume from. Knows nothing of data or models."""
