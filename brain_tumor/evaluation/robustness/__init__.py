"""How far a model holds when pictures are not what it knows: corrupted, or seen a little differently."""
