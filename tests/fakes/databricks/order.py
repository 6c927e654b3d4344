"""The order of listings: none that anyone could lean on, but the same one each time."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar
from zlib import crc32

from tests.fakes.databricks.limits import Habits

Item = TypeVar("Item")


def place(name: str, habits: Habits) -> tuple[int, str]:
    """Where a name stands in a listing."""
    return 0 if habits.sorted_listings else crc32(name.encode("utf-8", "surrogateescape")), name


def in_some_order(named: Iterable[tuple[str, Item]], habits: Habits) -> list[tuple[str, Item]]:
    """What a listing says, in the order in which it says it."""
    return sorted(named, key=lambda each: place(each[0], habits))
