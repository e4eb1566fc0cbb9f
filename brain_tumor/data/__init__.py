"""From files to batches; knows nothing of models."""
