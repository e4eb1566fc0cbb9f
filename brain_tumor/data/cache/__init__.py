"""Cache of decoded images: decoded once at the training size, for all later runs. Knows readers but no models."""
