"""Minutes of a day."""

DAY_MINUTES = 1440


def wrapped(minute: int) -> int:
    """The same time of day."""
    return minute % DAY_MINUTES
