"""How a source path becomes a target key, when the layout is not the path itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
import re
import time
from typing import Final

from msgspec.structs import replace

from reconcile.core.entry import Digest, Entry, Kind, Problem
from reconcile.core.errors import PlanError, StoreError
from reconcile.core.path import why_not_key
from reconcile.flow.wired import Wired
from reconcile.stores.recipe import data_stem

_PLACEHOLDER: Final = re.compile(r"\{(path|dirs?|name|stem|suffix|sha256)(?::(\d+))?\}")


def is_template(text: str) -> bool:
    """Whether it is text with placeholders, and no other braces, nor quotes."""
    rest, found = _PLACEHOLDER.subn("", text)
    return bool(found) and not set("{}'\"") & set(rest)


def needs_digest(layout: str) -> bool:
    """Whether a key can only be told once the content was read."""
    return "{sha256" in layout


def render(layout: str, path: str, digest: Digest | None, *, rows: bool = False) -> str:
    """The target key of a path: for `sub/a.b.tar.gz`, `{dir}` is `sub/`, `{stem}` `a.b.tar`, `{suffix}` `.gz`.

    `rows`: it is the name of a table. Then `{dirs}` is `sub__`, and for `a.csv.gz` the stem is `a`.
    """
    directory, slash, name = path.rpartition("/")
    stem, dot, suffix = name.rpartition(".")
    if not stem:
        stem, dot, suffix = name, "", ""
    parts = {"path": path, "dir": directory + slash, "name": name, "stem": stem, "suffix": dot + suffix}
    parts["sha256"] = digest.hex() if digest is not None else ""
    if rows:
        parts |= {"stem": data_stem(name), "dirs": (directory + slash).replace("/", "__")}

    def fill(found: re.Match[str]) -> str:
        value = parts[found[1]]
        return value[: int(found[2])] if found[2] else value

    return _PLACEHOLDER.sub(fill, layout)


def lay_out(wired: Wired, stream: Iterable[Entry | Problem]) -> Iterator[Entry | Problem]:
    """The entries under their target keys, unsorted; two files that would share a key are a plan error.

    Files that share a key *and* its content (the digest is in the name) are one entry: the first path speaks for it.
    """
    seen: dict[str, str] = {}
    for item in stream:
        if isinstance(item, Problem) or item.kind is not Kind.FILE:
            yield item
            continue
        laid = _laid(wired, item)
        if isinstance(laid, Problem):
            yield laid
        elif laid.key not in seen:
            seen[laid.key] = item.key
            yield laid
        elif not needs_digest(wired.layout):
            message = f"{seen[laid.key]} and {item.key} would both become {laid.key} (layout {wired.layout})"
            raise PlanError(message, op="plan", path=wired.name, hint=_apart(wired, seen[laid.key], item.key))


def _apart(wired: Wired, one: str, other: str) -> str:
    if wired.target.traits.rows:
        beside = one.rpartition("/")[0] == other.rpartition("/")[0]
        return f'give table.name what tells them apart: "{"{stem}_{suffix}" if beside else "{dirs}{stem}"}"'
    return "give the layout what tells them apart: {dir}"


def _laid(wired: Wired, entry: Entry) -> Entry | Problem:
    digest = entry.digest
    if digest is None and needs_digest(wired.layout):
        read_ns = time.time_ns()
        try:
            digest = wired.reader.hashes(entry.key, entry.version).sha256
        except StoreError as error:
            return Problem(entry.key, error.message, hint=error.hint)
        if wired.memory is not None:
            wired.memory.remember(entry.key, entry.version, digest, read_ns)
    key = render(wired.layout, entry.key, digest, rows=wired.target.traits.rows)
    if (why := why_not_key(key)) is not None:
        message = f"{entry.key} would become `{key}`: {why} (layout {wired.layout})"
        raise PlanError(message, op="plan", path=wired.name, hint="give the layout a {name} or {stem}")
    return replace(entry, key=key, path=entry.key, digest=digest)
