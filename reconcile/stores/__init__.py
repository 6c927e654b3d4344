"""Floor 2: the stores, and the wrappers of the same port."""
