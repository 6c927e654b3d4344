"""The place to type commands in, for promises too."""

from tests.cli.conftest import bare, place

__all__ = ["bare", "place"]
