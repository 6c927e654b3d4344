"""The order of listings: none that anyone could lean on, but the same one each time."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar
from zlib import crc32

from tests.fakes.databricks.limits import Habits

Item = TypeVar("Item")


def in_some_order(named: Iterable[tuple[str, Item]], habits: Habits) -> list[tuple[str, Item]]:
    """What a listing says, in the order in which it says it."""
    if habits.sorted_listings:
        return sorted(named, key=lambda each: each[0])
    return sorted(named, key=lambda each: crc32(each[0].encode("utf-8", "surrogateescape")))
