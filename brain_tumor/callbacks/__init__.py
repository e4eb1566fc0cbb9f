"""Small Lightning callbacks, one per file."""
