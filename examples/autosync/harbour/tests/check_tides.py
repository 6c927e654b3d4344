"""Left out by the pattern `/tests/`."""

from tides import next_high_water

assert next_high_water(0) == 745
