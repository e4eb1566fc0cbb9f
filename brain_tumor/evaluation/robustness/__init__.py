"""Robustness of a model to changed images: corruptions and test-time augmentation; knows no engine and no bundle."""
