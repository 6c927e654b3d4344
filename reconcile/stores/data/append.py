"""Whether a file that only grew can be read from where it ended before."""

from __future__ import annotations

import codecs

from reconcile.stores.data.file import Grown, Shape
from reconcile.stores.disk import translated


def grown_part(path: str, name: str, shape: Shape, *, loaded_bytes: int, loaded_rows: int) -> Grown | str:
    """The part of the file at `path` behind the bytes that were loaded, or in words why all of it must be read.

    The caller knows that the first `loaded_bytes` are what they were, that `shape` is what was found in them, and that
    none of their rows was put aside: then the end of a line there is the end of a record, and outside quotes.
    """
    if shape.dialect.format not in ("csv", "tsv", "jsonl") or shape.dialect.compression:
        return "its format cannot be read from the middle"
    if not loaded_rows:
        return "there were no rows to tell the types"
    if not _one_byte_newline(shape.dialect.encoding):
        return f"{shape.dialect.encoding} is read from its beginning"
    with translated("read", name), open(path, "rb") as file:  # noqa: PTH123 - may be a handle under /proc
        file.seek(loaded_bytes - 1)
        if file.read(1) != b"\n":
            return "its last line had no end, and may have gone on"
        if file.read(len(codecs.BOM_UTF8)) == codecs.BOM_UTF8:
            return "what was appended begins with a byte order mark, which is a character in the middle of a file"
        size_bytes = file.seek(0, 2)
    return Grown(loaded_bytes, size_bytes, loaded_rows)


def _one_byte_newline(encoding: str) -> bool:
    """Whether a byte 0x0a is the end of a line wherever it stands."""
    return encoding == "utf-8" or (not encoding.startswith(("utf", "u")) and codecs.encode("\n", encoding) == b"\n")
