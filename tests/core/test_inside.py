"""What is said of columns and rows: as far as it is known, and no further."""

from __future__ import annotations

from typing import Any

import pytest

from reconcile.core.inside import ColumnChange, Inside, inside_lines

NEW, GONE, OTHER = ColumnChange("n", "", "text"), ColumnChange("g", "integer"), ColumnChange("o", "integer", "double")


@pytest.mark.parametrize(
    ("told", "lines"),
    [
        ({}, []),
        ({"columns": (NEW, GONE, OTHER)}, ["columns: + n text, - g integer, ~ o integer → double"]),
        ({"rows_was": 1840, "rows_now": 1852}, ["rows: 1,840 → 1,852"]),
        ({"rows_was": 0, "rows_now": 0}, ["rows: 0 → 0"]),
        ({"rows_now": 1852}, ["rows: 1,852"]),
        ({"rows_was": 1840}, ["rows: 1,840"]),
        ({"rows_was": 0}, ["rows: 0"]),
        ({"rows_was": 1, "rows_now": 2, "added": 1, "changed": 0, "removed": 0}, ["rows: 1 → 2 (1 added)"]),
        (
            {"rows_was": 5, "rows_now": 5, "added": 1000, "changed": 2, "removed": 3, "rejected": 4},
            ["rows: 5 → 5 (1,000 added, 2 changed, 3 removed, 4 put aside)"],
        ),
        ({"rows_was": 2, "rows_now": 2, "added": 0, "removed": 0}, ["rows: 2 → 2 (none differs)"]),
        ({"rows_was": 2, "rows_now": 2, "added": 0, "changed": 1, "removed": 0}, ["rows: 2 → 2 (1 changed)"]),
        ({"rows_now": 2, "added": 0, "removed": 0}, ["rows: 2"]),
        ({"added": 1, "rejected": 4}, []),
        ({"notes": ("a note", "another")}, ["a note", "another"]),
        ({"columns": (NEW,), "rows_now": 1, "notes": ("a note",)}, ["columns: + n text", "rows: 1", "a note"]),
    ],
)
def test_what_is_known_is_said(told: dict[str, Any], lines: list[str]) -> None:
    assert list(inside_lines(Inside(**told))) == lines


@pytest.mark.parametrize(("count", "more"), [(12, ""), (13, ", and 1 more"), (1213, ", and 1,201 more")])
def test_of_many_columns_twelve_are_named(count: int, more: str) -> None:
    [line] = inside_lines(Inside(columns=(NEW,) * count))
    assert line == f"columns: {', '.join(['+ n text'] * 12)}{more}"
