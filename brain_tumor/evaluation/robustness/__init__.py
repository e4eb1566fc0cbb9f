"""How far a model holds when images are not what it knows: corrupted, or seen a little differently."""
