"""How files become tables, as a mapping of the spec has it."""

from __future__ import annotations

from hashlib import sha256
import re
from typing import Final, Literal

import msgspec
from msgspec import Struct

from reconcile.stores.data.file import Reading

_SUFFIXES: Final = ("csv", "tsv", "jsonl", "ndjson", "json", "parquet")
_PACKED: Final = ("gz", "zst")
_ENDING: Final = re.compile(rf"(\.({'|'.join(_SUFFIXES)}))?(\.({'|'.join(_PACKED)}))?$", re.IGNORECASE)


def data_stem(name: str) -> str:
    """A file's name without what tells its format and its packing: `orders.csv.gz` is `orders`."""
    return _ENDING.sub("", name)


def data_patterns() -> tuple[str, ...]:
    """Ignore-style patterns of all data files, in whatever case."""
    plain = [_any_case(suffix) for suffix in _SUFFIXES]
    packed = [f"{one}.{_any_case(packing)}" for one in plain for packing in _PACKED]
    return tuple(f"*.{one}" for one in (*plain, *packed))


def _any_case(word: str) -> str:
    return "".join(f"[{letter}{letter.upper()}]" if letter.isalpha() else letter for letter in word)


class Recipe(Struct, frozen=True):
    """How files become tables: how they are read, and what of a table a new file may change.

    `key` are the columns that tell rows apart, `schema` is where in the database the tables are, where it has such.
    """

    reading: Reading = Reading()
    on_schema_change: Literal["replace", "fail", "evolve"] = "replace"
    key: tuple[str, ...] = ()
    schema: str = "public"

    @property
    def digest(self) -> str:
        """What a table is made anew for when it changes."""
        return sha256(msgspec.json.encode(self.reading, order="sorted")).hexdigest()[:16]
