"""The server: requests in, answers out. It knows nothing of training, and writes nothing to a disk."""
