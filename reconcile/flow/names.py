"""Names, sizes and contents a target cannot take: found when planning, not when sending."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
import re
from typing import Final

from reconcile.abilities import Naming
from reconcile.core.change import Change
from reconcile.core.counts import size_text
from reconcile.core.entry import Entry, Problem
from reconcile.core.errors import PlanError, StoreError
from reconcile.core.path import parents, why_not_key
from reconcile.flow.wired import Wired
from reconcile.ports import Store

HEAD_BYTES: Final = 64
"""So much of a file tells a store how to name it."""

_RESERVED: Final = re.compile(r"(?i)(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\.|$)")
_FORBIDDEN: Final = re.compile(r'[<>:"|?*\\\x00-\x1f]')


def why_refused(key: str, size_bytes: int, wired: Wired) -> str | None:
    """Why the target cannot hold this file, in words; None when it can."""
    return next(_reasons(key, size_bytes, wired), None)


def why_unfit(change: Change, source: Store, target: Naming) -> str | None:
    """Why the target would refuse what a change sends for what it holds; None when it would not."""
    try:
        return target.why_not(change.key, lambda: b"".join(source.read(change.source_path)))
    except StoreError:  # whoever sends it meets, and reports, the same trouble
        return None


def _reasons(key: str, size_bytes: int, wired: Wired) -> Iterator[str]:
    traits = wired.target.traits
    encoded = key.encode("utf-8", "surrogateescape")
    if (why := why_not_key(key)) is not None:
        yield why
    yield from (f"the store takes no `{char}` in a name" for char in traits.refused_characters if char in key)
    reserved = (prefix for prefix in traits.reserved_prefixes if key.casefold().startswith(prefix))
    yield from (f"the store keeps names that begin with `{prefix}` for itself" for prefix in reserved)
    if traits.max_key_bytes and len(encoded) > traits.max_key_bytes:
        yield f"the key is {len(encoded):,} bytes long, the store takes {traits.max_key_bytes:,}"
    if traits.max_name_bytes and (longest := max(map(len, encoded.split(b"/")))) > traits.max_name_bytes:
        yield f"a part of the name is {longest} bytes long, the store takes {traits.max_name_bytes}"
    if traits.max_size_bytes and size_bytes > traits.max_size_bytes:
        yield f"{size_text(size_bytes)} is more than the store takes in one object ({size_text(traits.max_size_bytes)})"
    if wired.portable_names == "fail" and (why := why_not_portable(key)) is not None:
        yield why


def told_apart(wired: Wired, stream: Iterable[Entry | Problem]) -> Iterator[Entry | Problem]:
    """The same stream, for a target that names files by what they hold: two that want one name are a plan error.

    So is a file that wants the name of a directory. Only what might meet is read, and of it the beginning.
    """
    target = wired.target
    if not isinstance(target, Naming):
        yield from stream
        return
    families: dict[str, list[Entry]] = {}
    inside: dict[str, str] = {}
    for item in stream:
        if isinstance(item, Entry) and not item.kind:
            families.setdefault(target.family(item.key), []).append(item)
            for directory in parents(item.key):
                inside.setdefault(directory, item.path or item.key)
        yield item
    for family, members in families.items():
        if len(members) > 1 or (family in inside and members[0].key != family):
            _refuse_one_name(wired, target, members, {family: inside[family]} if family in inside else {})


def _refuse_one_name(wired: Wired, target: Naming, members: Iterable[Entry], named: dict[str, str]) -> None:
    """`named`: the names that are taken, each with the path that needs it."""
    for entry in members:
        path = entry.path or entry.key
        name = name_there(wired, target, entry.key, path)
        if name is None:
            continue
        if name in named:
            message = f"{named[name]} and {path} would be one file in the target: {name}"
            raise PlanError(message, op="plan", path=wired.name, hint="rename or exclude one of them")
        named[name] = path


def why_not_portable(key: str) -> str | None:
    """Why another system would refuse this name (a Windows or macOS checkout of the same files); None if none does."""
    for segment in key.split("/"):
        if _FORBIDDEN.search(segment) or segment[-1:] in (".", " "):
            return f"other systems refuse the name `{segment}`"
        if _RESERVED.match(segment):
            return f"`{segment}` is a device name on Windows"
    return None


def name_there(wired: Wired, target: Naming, key: str, path: str) -> str | None:
    """The name that a source file gets in the target, by how it begins; None when it cannot be read."""
    try:
        return target.name_of(key, b"".join(wired.source.read(path, span=(0, HEAD_BYTES))))
    except StoreError:  # whoever sends it meets, and reports, the same trouble
        return None


def place_of(target: Store) -> Callable[[str], str]:
    """What a key takes up, or might, in the target: two changes at one place are not independent."""
    return target.family if isinstance(target, Naming) else str
