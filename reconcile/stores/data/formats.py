"""Which format a file has, and who opens it."""

from __future__ import annotations

from typing import Final

from reconcile.stores.data.csv_file import open_csv
from reconcile.stores.data.file import DataError, Format, Grown, Reading, Shape, ShapeError
from reconcile.stores.data.json import open_json
from reconcile.stores.data.parquet import open_parquet
from reconcile.stores.data.plain import open_plain
from reconcile.stores.data.relation import Opened

SUFFIXES: Final[dict[str, Format]] = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".parquet": "parquet",
}
PACKED: Final = (".gz", ".zst")


def format_of(name: str) -> Format:
    """The format that a name tells by its suffixes, in any case; `DataError` if it tells none."""
    bare = name.lower()
    for packed in PACKED:
        bare = bare.removesuffix(packed)
    for suffix, found in SUFFIXES.items():
        if bare.endswith(suffix):
            return found
    hint = "set table.format, or name it .csv .tsv .jsonl .json .parquet (and .gz, .zst)"
    raise DataError("the name does not tell the format", op="read", path=name, hint=hint)


def open_format(path: str, name: str, reading: Reading, *, pinned: Shape | None, grown: Grown | None) -> Opened:
    """Opens a file in its format; `pinned` is what it was before."""
    found = format_of(name) if reading.format == "auto" else reading.format
    if pinned is not None and pinned.dialect.format != found:
        raise ShapeError(f"it was {pinned.dialect.format} before and is {found}", op="read", path=name)
    if found in ("csv", "tsv"):
        return open_csv(path, found, name, reading, pinned=pinned.dialect if pinned else None, grown=grown)
    encoding = "" if found == "parquet" else "auto"
    plain = open_plain(path, name, encoding=encoding, grown=grown)
    try:
        return open_parquet(plain, name) if found == "parquet" else open_json(plain, found, name, reading, pinned)
    except BaseException:
        plain.close()
        raise
