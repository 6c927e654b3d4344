"""Numbers and times, and how they are said: `12.4 MiB`, `1,204 paths`, `3.1 s`, `2026-03-01 18:02:11`."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, tzinfo
from typing import Final

from msgspec import Struct

from reconcile.core.change import Action, Change

_UNITS: Final = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
_YEAR_S: Final = 31_556_952
_SENT: Final = frozenset({Action.CREATE, Action.UPDATE})


class Counts(Struct):
    """What a plan holds, in paths; `bytes` is what will be sent."""

    create: int = 0
    update: int = 0
    delete: int = 0
    move: int = 0
    adopt: int = 0
    accept: int = 0
    forget: int = 0
    unchanged: int = 0
    bytes: int = 0

    def add(self, change: Change) -> None:
        """Counts one change."""
        name = change.action.value
        setattr(self, name, getattr(self, name) + 1)
        if change.action in _SENT:
            self.bytes += change.size

    @property
    def changes(self) -> int:
        """All that `apply` would do."""
        return self.create + self.update + self.delete + self.move + self.adopt + self.accept + self.forget

    def __add__(self, other: Counts) -> Counts:
        mine, theirs = Counter(self.as_dict()), Counter(other.as_dict())
        return Counts(**{name: mine[name] + theirs[name] for name in self.__struct_fields__})

    def as_dict(self) -> dict[str, int]:
        """All fields by name."""
        return {name: getattr(self, name) for name in self.__struct_fields__}


def size_text(size_bytes: int) -> str:
    """`0 B`, `812 B`, `4 KiB`, `12.4 MiB`: at most one decimal, none when it says nothing."""
    value, unit = float(size_bytes), 0
    while round(value, 1) >= 1024 and unit < len(_UNITS) - 1:
        value, unit = value / 1024, unit + 1
    told = f"{value:.1f}".removesuffix(".0") if unit else f"{size_bytes}"
    return f"{told} {_UNITS[unit]}"


def seconds_text(seconds: float) -> str:
    """`0.6 s`, `4 min`, `26 h`, `3 d`: as exact as it is useful."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    for unit, length in (("d", 86_400), ("h", 3_600)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds / 60:.0f} min"


def moment_text(seconds: float, zone: tzinfo | None = None) -> str:
    """`2026-03-01 18:02:11` in `zone` (None: local time); `year 36812` where calendars end, and file times do not."""
    try:
        return f"{datetime.fromtimestamp(seconds, zone).astimezone(zone):%Y-%m-%d %H:%M:%S}"
    except (ValueError, OverflowError, OSError):
        return f"year {1970 + int(seconds // _YEAR_S)}"


def plural(count: int, noun: str) -> str:
    """`1 path`, `1,204 paths`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
