"""From a predictions table to evidence; pure functions that know nothing of Lightning."""
