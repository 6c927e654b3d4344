"""What is remembered between runs: the state file with its records, runs, journal and lease; caches and spills."""
