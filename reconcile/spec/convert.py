"""Checked, resolved tables to the typed model."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final

import msgspec

from reconcile.core.policy import GuardLimits, Policy
from reconcile.spec.location import locate
from reconcile.spec.model import (
    CsvSpec,
    NotifySpec,
    ObjectSpec,
    Patterns,
    Spec,
    StoreSpec,
    TableSpec,
    WatchSpec,
)
from reconcile.spec.model import (
    Mapping as MappingSpec,
)
from reconcile.spec.secret import Secret, revealed
from reconcile.spec.units import duration_s, limit, size_bytes

Table = dict[str, Any]

_POLICIES: Final = ("delete", "unmanaged", "drift", "conflict", "on_failure", "keep")
_LISTS: Final = ("include", "exclude", "ignore_files", "protect", "depends_on")
_PLAIN: Final = (
    "recursive",
    "symlinks",
    "layout",
    "portable_names",
    "direction",
    "create_target",
    "concurrency",
    "verify_writes",
)
_PATTERNS: Final = {"or": "any_of", "and": "all_of", "nor": "none_of", "nand": "not_all_of"}


def store_spec(name: str, table: Table) -> StoreSpec:
    """A named connection; a password in its URL becomes the setting `password`."""
    settings: dict[str, str] = {word: text for word, text in table.items() if word not in ("url", "options") and text}
    settings.update(table.get("options", {}))
    url, password = _without_password(revealed(table["url"]))
    if password:
        settings.setdefault("password", Secret(password))
    return StoreSpec(name=name, url=url, settings=settings)


def _without_password(url: str) -> tuple[str, str]:
    scheme, slashes, rest = url.partition("://")
    authority, slash, tail = rest.partition("/")
    user, at, host = authority.rpartition("@")
    name, colon, password = user.partition(":")
    if not (at and colon):
        return url, ""
    return f"{scheme}{slashes}{name}{at}{host}{slash}{tail}", password


def mapping_spec(name: str, table: Table, stores: Mapping[str, StoreSpec], root: str) -> MappingSpec:
    """One mapping; its places are known to be good."""
    written: Table = {word: table[word] for word in _PLAIN if word in table}
    written |= {word: tuple(table[word]) for word in _LISTS if word in table}
    written |= {word: size_bytes(table[word]) for word in ("min_size", "max_size") if word in table}
    if table.get("patterns"):
        lists = {_PATTERNS[word]: tuple(regexes or ()) for word, regexes in table["patterns"].items()}
        written["patterns"] = Patterns(**lists)
    if "object" in table:
        written["object"] = ObjectSpec(**table["object"])
    if locate(table["target"], stores, root).is_table:
        written["table"] = _table_spec(table.get("table", {}))
    return MappingSpec(
        name=name,
        source=_absolute(table["source"], stores, root),
        target=_absolute(table["target"], stores, root),
        source_as_written=table["source"],
        target_as_written=table["target"],
        policy=_policy(table),
        **written,
    )


def _absolute(text: str, stores: Mapping[str, StoreSpec], root: str) -> str:
    """A local path made absolute, a URL made canonical, STORE:path as it is: only the spec knows its connection."""
    place = locate(text, stores, root)
    if place.store is not None:
        return text
    return place.path if place.scheme == "file" else place.connect


def _policy(table: Table) -> Policy:
    words: Table = {word: table[word] for word in _POLICIES if word in table}
    guard = table.get("guard", {})
    limits: Table = {word: limit(guard[word]) for word in ("max_delete", "max_update") if word in guard}
    if "min_files" in guard:
        limits["min_files"] = guard["min_files"]
    return Policy(**words, guard=GuardLimits(**limits))


def _table_spec(table: Table) -> TableSpec:
    words = dict(table)
    if "key" in words:
        words["key"] = tuple(words["key"])
    if "csv" in words:
        csv = dict(words["csv"])
        if "null_values" in csv:
            csv["null_values"] = tuple(csv["null_values"])
        words["csv"] = CsvSpec(**csv)
    return TableSpec(**words)


def watch_spec(table: Table) -> WatchSpec:
    """How changes are followed."""
    words: Table = {f"{word}_s": duration_s(text) for word, text in table.items() if word != "lease"}
    return WatchSpec(**words, **({"lease": table["lease"]} if "lease" in table else {}))


def notify_spec(table: Table) -> NotifySpec:
    """Who is told, and when; an empty webhook is none."""
    words: Table = {word: tuple(table[word]) for word in ("when", "command") if word in table}
    return NotifySpec(**words, webhook=table.get("webhook") or None)


def digest_of(spec: Spec) -> str:
    """The digest of what a spec asks for. Paths count as written, so that it is the same in every checkout."""
    mappings = {
        name: msgspec.structs.replace(each, source=each.source_as_written, target=each.target_as_written)
        for name, each in spec.mappings.items()
    }
    told = msgspec.structs.replace(spec, mappings=mappings, root="", file="", digest="", secrets=())
    return sha256(msgspec.json.encode(told, enc_hook=lambda _: None, order="sorted")).hexdigest()
