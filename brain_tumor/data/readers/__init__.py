"""File formats: each module reads one family of files, by its function ``read(file, slices)``."""
