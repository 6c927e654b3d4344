"""Floor 0: the nouns and the pure verbs. No I/O, no clock, no threads, no logging."""
