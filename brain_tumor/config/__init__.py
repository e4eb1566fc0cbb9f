"""Compose a Hydra configuration, check it, build objects from it. Knows no data and no model."""
