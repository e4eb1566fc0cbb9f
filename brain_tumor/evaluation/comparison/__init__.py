"""Comparison of several models on the same images: pure functions of their predictions tables."""
