"""The neutral report of a plan: what every rendering says, made in one place.

All text in here is raw: names may hold anything, each rendering escapes them for its own surface. Nothing is held: a
document is read once, from the front to the back, and its lines come straight from the plan's cursor.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import Struct

CUT = 50
"""Lines of one kind that a group shows before the rest is only counted."""


class Line(Struct, frozen=True, gc=False):
    """One path: what happens to it and why. `size` in bytes, None where it says nothing; `hint`: what to do next.

    `details` are sentences of what happens inside.
    """

    symbol: str
    kind: str
    key: str
    reason: str
    size: int | None = None
    hint: str = ""
    details: tuple[str, ...] = ()


class More(Struct, frozen=True):
    """The lines that were left out of a group, counted by kind."""

    counts: dict[str, int]


class Group(Struct, frozen=True):
    """Lines under one heading ("" for the plain changes of a mapping). `advice`: the next command for all of them."""

    heading: str
    lines: Iterator[Line | More]
    advice: str = ""


class Refused(Struct, frozen=True):
    """What the guards said of a mapping. `ways`: (what for, command); empty when all of it is allowed."""

    sentences: list[str]
    ways: list[tuple[str, str]] = []


class Section(Struct, frozen=True):
    """One mapping: facts that weaken or extend the promise, its groups, and what the guards say."""

    name: str
    source: str
    target: str
    notes: list[str]
    groups: Iterator[Group]
    refused: Refused | None = None


class Document(Struct, frozen=True):
    """A whole plan. `legend`: (symbol, word) of every symbol that is used; `summary` is the last line."""

    notes: list[str]
    legend: list[tuple[str, str]]
    sections: Iterator[Section]
    summary: str


def cut(lines: Iterable[Line], most: int | None = CUT) -> Iterator[Line | More]:
    """The first `most` lines of every kind (None: all), then how many more there were.

    Counted by kind, so that a single delete never hides behind a thousand creates.
    """
    if most is None:
        yield from lines
        return
    seen: dict[str, int] = {}
    for line in lines:
        seen[line.kind] = count = seen.get(line.kind, 0) + 1
        if count <= most:
            yield line
    left_out = {kind: count - most for kind, count in seen.items() if count > most}
    if left_out:
        yield More(left_out)
