"""Which workspace objects are notebooks, and how their source looks."""

from __future__ import annotations

import json

LANGUAGES = {".py": "PYTHON", ".sql": "SQL", ".scala": "SCALA", ".r": "R"}
SUFFIXES = {language: suffix for suffix, language in LANGUAGES.items()}
HEADERS = {
    "PYTHON": b"# Databricks notebook source",
    "R": b"# Databricks notebook source",
    "SCALA": b"// Databricks notebook source",
    "SQL": b"-- Databricks notebook source",
}


def detect(name: str, data: bytes) -> tuple[str, str] | None:
    """Name and language of the notebook that AUTO makes of a file with this name; None if it stays a file."""
    stem, dot, extension = name.rpartition(".")
    suffix = (dot + extension).lower()
    if suffix == ".ipynb" and stem:
        return stem, "PYTHON"
    language = LANGUAGES.get(suffix)
    if language is None or not stem or data.split(b"\n", 1)[0].rstrip(b"\r") != HEADERS[language]:
        return None
    return stem, language


def with_header(data: bytes, language: str) -> bytes:
    """The source of a notebook as it is kept: it begins with the header, whether or not it came with one."""
    header = HEADERS[language]
    return data if data.split(b"\n", 1)[0].rstrip(b"\r") == header else header + b"\n" + data


def is_jupyter(data: bytes) -> bool:
    """Whether these bytes are a Jupyter notebook."""
    try:
        return isinstance(json.loads(data).get("cells"), list)
    except (ValueError, AttributeError):
        return False


def as_jupyter(data: bytes, language: str) -> bytes:
    """A notebook's source as a Jupyter notebook of one cell."""
    cell = {"cell_type": "code", "metadata": {}, "source": data.decode("utf-8", "replace"), "outputs": []}
    meta = {"language_info": {"name": language.lower()}}
    return json.dumps({"cells": [cell], "metadata": meta, "nbformat": 4, "nbformat_minor": 0}).encode()
