"""Out of distribution: a gate that turns away pictures which are no scans as the model knows them, and its proof."""
