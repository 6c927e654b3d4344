"""What a SQLite table was made with beside its columns: a load makes plain tables, and could not carry it over."""

from __future__ import annotations

import re
from typing import Final

_QUOTED: Final = re.compile(
    r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|`(?:[^`]|``)*`|\[[^\]]*\]|--[^\n]*|/\*.*?\*/""", re.DOTALL
)
"""Names, texts and comments: no word in them is one of SQL."""

_WORDS: Final = re.compile(
    r"\b(PRIMARY\s+KEY|FOREIGN\s+KEY|NOT\s+NULL|UNIQUE|CHECK|DEFAULT|COLLATE|REFERENCES|GENERATED|AS)\b"
    r"|\b(STRICT|WITHOUT\s+ROWID)\b[^()]*$",
    re.IGNORECASE,
)


def constraints(sql: str) -> list[str]:
    """The words of a `CREATE TABLE` that say more than what its columns are called and of which type."""
    found = (one or other for one, other in _WORDS.findall(_QUOTED.sub(" ", sql)))
    return list(dict.fromkeys(" ".join(word.upper().split()) for word in found))
