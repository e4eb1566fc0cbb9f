"""File formats: each reader reads one family of files with ``read(file, slices)``. Knows no cache and no models."""
