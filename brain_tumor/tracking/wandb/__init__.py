"""Weights & Biases: what a run shows there, and how it goes on when that cannot be reached."""
