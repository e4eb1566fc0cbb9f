"""The command line: Hydra entry, arguments, exit codes. Knows every room below; nothing imports it."""
