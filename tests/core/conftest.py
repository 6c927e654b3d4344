"""The tests of the core share the world of one key beside them."""

from pathlib import Path
import sys

sys.path[:0] = [str(Path(__file__).parent)]
