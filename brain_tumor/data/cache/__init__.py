"""Images decoded once, at the training size, for all runs that follow. Knows readers, no models."""
