"""The audit: what is wrong with a data set, and which of its pictures belong together."""
