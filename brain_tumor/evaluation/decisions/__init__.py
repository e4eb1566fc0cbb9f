"""Rules that turn probabilities into decisions: chosen on validation, evaluated on test."""
