"""Python 3.11 looks up the members of a Protocol at every `isinstance`; 3.12 keeps them, and so do we."""

from __future__ import annotations

from functools import cache
import sys
import typing


def remember() -> None:
    """A sixth of what a plan of three paths costs, and tests make a hundred thousand of those."""
    if sys.version_info < (3, 12):
        typing._get_protocol_attrs = cache(typing._get_protocol_attrs)  # type: ignore[attr-defined]
