"""What a store can do."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

Condition = Literal["none", "stat", "create", "match"]
"""How a store keeps a promise about what is there: not at all; by a stat just before; atomically for `ABSENT` only
(`create`); atomically for `ABSENT` and for a version (`match`)."""


class Traits(Struct, frozen=True):
    """What a store can do; decisions hang on these, never on the store's name.

    order         `bytes` when a listing comes in byte order of its keys; else it is sorted through the spill
    key           how the store tells names apart: `identity`, `casefold`, `nfc`
    tree          a file and a directory cannot share a name (file systems)
    waits         calls cross a network: worth threads and prefetch
    write … delete  how each mutating call honours its expectation
    copy, move    `none`, or how the target's expectation is honoured; the source's version is always checked
    move_atomic   a move is one step (rename); else it is a copy and a delete
    returns_version  a write tells the version the listing will show; else it settles `granule_ns` later
    proves        `prove` answers without reading the content over a network
    keeps         how old bytes are kept: `link` (free), `copy` (in the store), `versions` (by the bucket), `move` (they
                  are moved out of the way of what replaces them), `dear` (copied through this machine, so only where
                  they must be kept always), `none`
    executable    the executable bit exists there
    max_size_bytes, max_key_bytes, max_name_bytes  limits of one object, of a whole key, of one segment (0: none)
    refused_characters  what no name there may hold
    mount         the path under which programs beside the store (on its cluster) see its root; "" where they see none
    reserved_prefixes   what no name there may begin with, in whatever case
    together      so many small new things `write_many` makes at once; 0: it writes them one by one
    rows          a key holds the rows of a file, not its bytes: what is read is not what was written
    """

    order: Literal["bytes", "none"] = "none"
    key: Literal["identity", "casefold", "nfc"] = "identity"
    tree: bool = False
    waits: bool = False
    write: Condition = "stat"
    delete: Condition = "stat"
    copy: Condition = "none"
    move: Condition = "none"
    move_atomic: bool = False
    returns_version: bool = False
    granule_ns: int = 0
    proves: bool = False
    keeps: Literal["link", "copy", "versions", "move", "dear", "none"] = "none"
    executable: bool = False
    max_size_bytes: int = 0
    max_key_bytes: int = 0
    max_name_bytes: int = 0
    refused_characters: str = ""
    mount: str = ""
    reserved_prefixes: tuple[str, ...] = ()
    together: int = 0
    rows: bool = False
