"""The audit: what is wrong with a data set, and which of its images belong together."""
