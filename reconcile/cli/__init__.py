"""Floor 5: the commands, one file per verb."""
