"""Which files become notebooks in a workspace, and under which name they are there.

A notebook has no suffix there: `etl/load.py` with the header of a notebook is the notebook `etl/load`. Its key keeps
the suffix, so that both sides call it the same. A suffix in capitals (`.R`) would not come back, so such a file stays
a file.
"""

from __future__ import annotations

from hashlib import sha256
import json
from typing import Any, Final

from msgspec import Struct

LANGUAGES: Final = {"py": "PYTHON", "sql": "SQL", "scala": "SCALA", "r": "R"}
SUFFIXES: Final = {language: suffix for suffix, language in LANGUAGES.items()}
JUPYTER: Final = "ipynb"

_HEADERS: Final = {
    "py": b"# Databricks notebook source",
    "r": b"# Databricks notebook source",
    "scala": b"// Databricks notebook source",
    "sql": b"-- Databricks notebook source",
}
HEAD_BYTES: Final = 64
"""So much of a file tells whether it begins with a header."""


class Form(Struct, frozen=True):
    """How a file is imported: under which name, in which format, in which language."""

    name: str
    format: str
    language: str = ""

    @property
    def is_notebook(self) -> bool:
        """Whether it becomes one."""
        return self.format != "RAW"


def form_of(key: str, head: bytes) -> Form:
    """How a file with this key, that begins so, is imported."""
    stem, suffix = split(key)
    if suffix == JUPYTER:
        return Form(stem, "JUPYTER", "PYTHON")
    first = head.partition(b"\n")[0].rstrip(b"\r")
    if suffix and first == _HEADERS[suffix]:
        return Form(stem, "SOURCE", LANGUAGES[suffix])
    return Form(key, "RAW")


def split(key: str) -> tuple[str, str]:
    """The key without its suffix, and the suffix, where that may be one of a notebook; else the key and ""."""
    stem, _, suffix = key.rpartition(".")
    may_be = suffix in LANGUAGES or suffix == JUPYTER
    return (stem, suffix) if may_be and stem and not stem.endswith("/") else (key, "")


def mark_of(data: bytes, suffix: str) -> str:
    """16 hexadecimal digits that stand for the text of a notebook, in whatever way the service gives it back.

    Line ends, empty lines and white space at the end of one do not count; of a Jupyter notebook only its cells do.
    """
    cells = _cells(data) if suffix == JUPYTER else None
    texts = [("", data)] if cells is None else cells
    digest = sha256()
    for kind, text in texts:
        lines = [line.rstrip() for line in text.splitlines()]
        digest.update(b"\0" + kind.encode() + b"\0" + b"\n".join(filter(None, lines)))
    return digest.hexdigest()[:16]


def _cells(data: bytes) -> list[tuple[str, bytes]] | None:
    """Kind and text of every cell; None where there are none to be seen."""
    cells = _jupyter(data).get("cells")
    if not isinstance(cells, list):
        return None
    told = [cell if isinstance(cell, dict) else {} for cell in cells]
    return [(str(cell.get("cell_type", "")), _text(cell.get("source", ""))) for cell in told]


def _text(source: Any) -> bytes:
    """Lines, or one text with all of them."""
    text = "".join(map(str, source)) if isinstance(source, list) else str(source)
    return text.encode(errors="surrogatepass")


def _jupyter(data: bytes) -> dict[str, Any]:
    """A Jupyter notebook; nothing where it is none."""
    try:
        said = json.loads(data)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def why_no_notebook(data: bytes) -> str | None:
    """Why the service would refuse this as a Jupyter notebook; None where it would not."""
    if _cells(data) is not None:
        return None
    what = "is empty" if not data.strip() else "holds no JSON with cells"
    return f"a notebook (.ipynb) that {what} cannot be imported: save it again in Jupyter, or exclude it"
