"""High water, so that a notebook has something to import."""

from lib.clock import wrapped

PERIOD_MINUTES = 745


def next_high_water(last_minute: int) -> int:
    """The minute of the day at which the water is high again."""
    return wrapped(last_minute + PERIOD_MINUTES)
