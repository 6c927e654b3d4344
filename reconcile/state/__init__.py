"""Floor 2: what is remembered: records, journal, lease, cache, spill."""
