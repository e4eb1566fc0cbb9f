"""The audit: duplicates, leakage, label conflicts and shortcuts in a data set; knows nothing of models."""
