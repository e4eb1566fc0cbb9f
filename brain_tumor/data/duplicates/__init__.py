"""Which images show the same slice or the same patient, and what of it crosses a split. Every run does this."""
