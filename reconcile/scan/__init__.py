"""Floor 2: what the local store lists with, and the filters that every listing passes."""
