"""What a change does inside of what it touches, where that has columns and rows: a value, and its sentences."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from msgspec import Struct

UNCOUNTED: Final = -1
"""A number that nobody found out, because finding out costs too much."""

_MOST_COLUMNS: Final = 12
"""So many columns are named in one sentence; the rest is counted."""


class ColumnChange(Struct, frozen=True, gc=False):
    """One column: its type before and after, "" where it is not there."""

    name: str
    was: str = ""
    now: str = ""


class Inside(Struct, frozen=True, gc=False):
    """Columns and rows before and after. `columns` are those that differ, all of them for what is new.

    `refused` says why the change cannot be made at all; then nothing is done.
    """

    columns: tuple[ColumnChange, ...] = ()
    rows_was: int = UNCOUNTED
    rows_now: int = UNCOUNTED
    added: int = UNCOUNTED
    changed: int = UNCOUNTED
    removed: int = UNCOUNTED
    rejected: int = 0
    notes: tuple[str, ...] = ()
    refused: str = ""


def inside_lines(inside: Inside) -> Iterator[str]:
    """`columns: + region text, ~ amount integer → double` and `rows: 1,840 → 1,852 (12 added)`, as far as known."""
    if inside.columns:
        told = [_column(column) for column in inside.columns[:_MOST_COLUMNS]]
        more = len(inside.columns) - len(told)
        yield f"columns: {', '.join([*told, *[f'and {more:,} more'] * bool(more)])}"
    rows = _rows(inside)
    if rows:
        yield f"rows: {rows}"
    yield from inside.notes


def _column(column: ColumnChange) -> str:
    if not column.was:
        return f"+ {column.name} {column.now}"
    if not column.now:
        return f"- {column.name} {column.was}"
    return f"~ {column.name} {column.was} → {column.now}"


def _rows(inside: Inside) -> str:
    was, now = inside.rows_was, inside.rows_now
    told = (
        f"{was:,} → {now:,}" if UNCOUNTED not in (was, now) else f"{max(was, now):,}" if (was, now) != (-1, -1) else ""
    )
    counted = (("added", inside.added), ("changed", inside.changed), ("removed", inside.removed))
    apart = [f"{count:,} {what}" for what, count in counted if count > 0]
    if (inside.added, inside.removed) == (0, 0) and inside.changed <= 0 and UNCOUNTED not in (was, now):
        apart = ["none differs"]
    apart += [f"{inside.rejected:,} put aside"] * bool(inside.rejected)
    return f"{told} ({', '.join(apart)})" if told and apart else told
