"""From files to batches of images: samples, splits, cache, loaders. Knows no models."""
