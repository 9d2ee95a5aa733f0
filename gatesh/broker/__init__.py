"""The process: one writer that owns policy, keys, log and waiting requests."""
