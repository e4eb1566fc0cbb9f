"""From probabilities to decisions: thresholds and sets are chosen on validation and judged on test."""
