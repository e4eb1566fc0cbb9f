"""Weights & Biases: a logger whose failures never stop a training, names of runs, and charts of the results."""
