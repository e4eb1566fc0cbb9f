"""Lightning callbacks, one per file, each built from its ``conf/callbacks/*.yaml``. They know no configuration."""
