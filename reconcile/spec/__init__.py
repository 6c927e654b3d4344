"""Floor 2: YAML with line and column, JSON Schema, typed Spec."""
