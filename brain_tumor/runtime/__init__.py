"""What surrounds a run: configuration, record, logging."""
