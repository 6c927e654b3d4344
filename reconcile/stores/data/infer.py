"""Finds the types of columns over the whole file: the first records say what may be, a proof over all rows what is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
import re
from typing import Any, Final, NamedTuple

from reconcile.stores.data.types import CANDIDATES, MAX_DIGITS, decimal, scale_and_digits, spelled

EXACT_DIGITS: Final = 15
"""A double holds every decimal of so many digits; decimals are given this many, or all 38."""

PART_COLUMNS: Final = 256
"""The time that a query takes to be understood grows with the square of what it asks."""

HINTS: Final = {
    "true|false": ("boolean",),
    "-?[0-9]+": ("integer", "double", "decimal"),
    r"-?[0-9]+\.[0-9]+0": ("decimal",),
    r"-?[0-9]+\.[0-9]+": ("double", "decimal"),
    r"-?[0-9]+(?:\.[0-9]+)?e[-+][0-9]+": ("double",),
    "[0-9]{4}-[0-9]{2}-[0-9]{2}": ("date",),
    "[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9:.]+": ("timestamp",),
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9:.]+(?:Z|\+00:00)": ("timestamptz",),
}
"""What a cell may be, by the first look that it has; whether it is, is asked of the rule in `data/types.py`."""

LOOKS: Final = re.compile("|".join(f"({pattern})" for pattern in HINTS), re.ASCII | re.IGNORECASE)
ALLOWED: Final = ((), *HINTS.values())
"""By the number of the group in `LOOKS` that takes the cell."""

Ask = Callable[[Sequence[str]], tuple[Any, ...]]
"""Runs aggregates over the rows of the file; the first of them counts these."""


class Found(NamedTuple):
    """The types of the asked columns, how many rows there are, and the columns in which there is nothing."""

    types: dict[int, str]
    rows: int
    empty: frozenset[int] = frozenset()


def hinted(cells: Sequence[str]) -> tuple[str, ...]:
    """The candidates that none of these cells speaks against."""
    found = map(LOOKS.fullmatch, cells)
    looks = {look.lastindex or 0 if look is not None else 0 for look in found}
    return tuple(word for word in CANDIDATES if all(word in ALLOWED[look] for look in looks))


def infer(ask: Ask, cells: Mapping[int, str], candidates: Mapping[int, Sequence[str]], otherwise: str) -> Found:
    """The type of each column of `cells`, which are expressions over the rows that give its text, or null.

    A column that fits none of its candidates, or in which there is nothing, is `otherwise`. Very wide files are asked
    in parts.
    """
    positions = list(candidates)
    parts = [positions[start : start + PART_COLUMNS] for start in range(0, len(positions), PART_COLUMNS)] or [[]]
    found = [_infer_part(ask, cells, {i: candidates[i] for i in part}, otherwise) for part in parts]
    types = {i: word for part in found for i, word in part.types.items()}
    return Found(types, found[0].rows, frozenset().union(*(part.empty for part in found)))


def _infer_part(ask: Ask, cells: Mapping[int, str], candidates: Mapping[int, Sequence[str]], otherwise: str) -> Found:
    """The first candidate of a column is tried alone, and if it fails, all others at once: two passes at most."""
    found = _fitting(ask, cells, {i: words[:1] for i, words in candidates.items()})
    fits = found.types
    again = {i: words[1:] for i, words in candidates.items() if not fits[i] and len(words) > 1}
    if again:
        fits |= _fitting(ask, cells, again).types
    return Found({i: fits[i] or otherwise for i in candidates}, found.rows, found.empty)


def _fitting(ask: Ask, cells: Mapping[int, str], candidates: Mapping[int, Sequence[str]]) -> Found:
    """For each column the type of the first candidate that all its cells fit, "" if there is none.

    A column in which there is nothing fits none.
    """
    questions = ["count(*)"]
    for i, words in candidates.items():
        questions.append(f"count({cells[i]})")
        for word in words:
            questions += scale_and_digits(cells[i]) if word == "decimal" else [_any_bad(word, cells[i])]
    answers = iter(ask(questions))
    rows = next(answers)
    fits, empty = dict.fromkeys(candidates, ""), set[int]()
    for i, words in candidates.items():
        if not next(answers):
            empty.add(i)
        types = [_answered(word, answers) for word in words]
        fits[i] = next((made for made in types if made and i not in empty), "")
    return Found(fits, rows, frozenset(empty))


def _any_bad(word: str, cell: str) -> str:
    return f"coalesce(bool_or({spelled(word, cell).bad}), false)"


def _answered(word: str, answers: Iterator[Any]) -> str:
    """The type that a candidate makes by the next answers, "" if it does not fit."""
    if word != "decimal":
        return "" if next(answers) else word
    others, least, most, digits = (next(answers) for _ in range(4))
    return "" if others or least is None or least != most else made_decimal(digits, least)


def made_decimal(digits: int, scale: int) -> str:
    """The type of decimals with at most so many digits, "" if there is none."""
    if digits > MAX_DIGITS:
        return ""
    return decimal(EXACT_DIGITS if digits <= EXACT_DIGITS else MAX_DIGITS, scale)
