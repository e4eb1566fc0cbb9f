"""Compose a Hydra configuration, check it against the schema, build objects from it. Knows no data and no model."""
