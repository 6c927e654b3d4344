"""Which files become notebooks in a workspace, and under which name they are there.

A notebook has no suffix there: `etl/load.py` with the header of a notebook is the notebook `etl/load`. Its key keeps
the suffix, so that both sides call it the same. A suffix in capitals (`.R`) would not come back, so such a file stays
a file.
"""

from __future__ import annotations

from typing import Final

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
