"""Floor 3: one neutral Report, rendered; looks at the core only."""
