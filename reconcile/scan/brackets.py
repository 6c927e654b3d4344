"""The `[…]` of a glob, read as git reads it."""

from __future__ import annotations

import re
from typing import Final

_CLASSES: Final = {
    "alnum": "a-zA-Z0-9",
    "alpha": "a-zA-Z",
    "blank": r" \t",
    "cntrl": r"\x00-\x1f\x7f",
    "digit": "0-9",
    "graph": "!-~",
    "lower": "a-z",
    "print": " -~",
    "punct": r"!-/:-@\[-`{-~",
    "space": r"\s",
    "upper": "A-Z",
    "xdigit": "0-9a-fA-F",
}


class NeverError(Exception):
    """The pattern is one that git never matches: an open bracket, an unknown class, a backslash at its end."""


def bracket(glob: str, at: int) -> tuple[str, int]:
    """The expression of the set whose content begins at `at`, and the position behind its closing bracket.

    `!` or `^` at the start turns the set around; a `]` that comes first stands for itself.
    """
    negated = glob[at : at + 1] in ("!", "^")
    at += negated
    members: list[str] = []
    before = ""
    while not members or glob[at : at + 1] != "]":
        named = _named(glob, at)
        if named is not None:
            member, at = named
            before = ""
        elif before and glob[at : at + 1] == "-" and glob[at + 1 : at + 2] not in ("", "]"):
            high, at = _literal(glob, at + 1)
            member = f"{re.escape(before)}-{re.escape(high)}" if before <= high else ""
            before = ""
        else:
            before, at = _literal(glob, at)
            member = re.escape(before)
        members.append(member)
    return _set("".join(members), negated=negated), at + 1


def _named(glob: str, at: int) -> tuple[str, int] | None:
    """A class such as `[:alpha:]` at `at`, and where it ends; None when there is none."""
    if not glob.startswith("[:", at):
        return None
    end = glob.find("]", at + 2)
    if end == -1:
        raise NeverError
    if glob[end - 1] != ":" or end - 1 == at + 1:
        return None
    name = glob[at + 2 : end - 1]
    if name not in _CLASSES:
        raise NeverError
    return _CLASSES[name], end + 1


def _literal(glob: str, at: int) -> tuple[str, int]:
    """The character at `at`, or the one behind a backslash there, and where it ends."""
    at += glob[at : at + 1] == "\\"
    if at >= len(glob):
        raise NeverError
    return glob[at], at + 1


def _set(members: str, *, negated: bool) -> str:
    if negated:
        return f"[^/{members}]"
    return f"(?!/)[{members}]" if members else "(?!)"
