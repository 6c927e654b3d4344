"""A document with the place of everything in it, and the problems found there."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

from msgspec import Struct

from reconcile.core.errors import SpecError
from reconcile.core.path import shown

Steps: TypeAlias = tuple[str | int, ...]
"""Where a value stands: the keys and indices that lead to it from the top."""


class Mark(NamedTuple):
    """A place in the text, counted from 1."""

    line: int
    column: int


NOWHERE = Mark(0, 0)
"""The mark of what was never text: a document built in code."""


class Document(Struct, frozen=True):
    """A tree of plain values, and where each stands.

    `marks` holds the place of every value, `keys` that of every key, `written` the text of every unquoted scalar as it
    stands in the file (`1.10` stays `1.10`). All three are empty for a document built in code.
    """

    value: object
    file: str = ""
    marks: dict[Steps, Mark] = {}
    keys: dict[Steps, Mark] = {}
    written: dict[Steps, str] = {}

    def mark(self, at: Steps, *, key: bool = False) -> Mark:
        """The place of a value (or of its key); that of the nearest thing around it when it is not in the text."""
        if key and at in self.keys:
            return self.keys[at]
        for length in range(len(at), -1, -1):
            if at[:length] in self.marks:
                return self.marks[at[:length]]
        return NOWHERE


def pointer(at: Steps) -> str:
    """The JSON Pointer of a path, fit for a screen; the whole document is empty text."""
    return shown("".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in at))


def problem_line(file: str, mark: Mark, at: Steps, message: str) -> str:
    """One problem as people read it: ``file:line:column: pointer: message``, without the parts that are not there."""
    place = f"{shown(file) or 'spec'}:{mark.line}:{mark.column}" if mark.line else shown(file) or "spec"
    return ": ".join(part for part in (place, pointer(at), message) if part)


class Findings:
    """Gathers the problems of one document, so that all are told at once, in the order of the text."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.origins: dict[Steps, Steps] = {}
        self._found: set[tuple[Mark, str]] = set()
        self._places: set[Steps] = set()

    def add(self, at: Steps, message: str, hint: str = "", *, key: bool = False) -> None:
        """Notes a problem at a value, or at its key; the same problem is noted once.

        `origins` tells where a merged value was written (a default stands under `defaults`).
        """
        at = self.origins.get(at, at)
        mark = self.document.mark(at, key=key)
        line = problem_line(self.document.file, mark, at, f"{message}; {hint}" if hint else message)
        self._places.add(at)
        self._found.add((mark, line))

    def at(self, at: Steps) -> bool:
        """Whether a problem was noted at this very place."""
        return self.origins.get(at, at) in self._places

    def __bool__(self) -> bool:
        return bool(self._found)

    def error(self) -> SpecError:
        """All of them as one error."""
        return SpecError([line for _, line in sorted(self._found)], path=self.document.file)
