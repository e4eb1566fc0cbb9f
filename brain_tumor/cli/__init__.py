"""The command line: Hydra entry, arguments, help, exit codes. Nothing imports it but the verbs."""
