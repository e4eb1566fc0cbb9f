"""Out of distribution: a detector that rejects images which are no scans as the model knows them, and its proof."""
