"""Renames: pairs the contents that leave a key with the keys that want them.

A *holder* is a key whose recorded content is still in the target, unchanged, and is about to go (a delete) or to be
overwritten (an update). A *seeker* is a key about to get new content. Holders and seekers of equal size are candidates;
the flow hashes the seekers, and equal digests are paired. Empty files are never paired: they all look alike.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from typing import TypeVar

from msgspec import Struct

from reconcile.core.change import Change
from reconcile.core.entry import Digest, Version
from reconcile.core.path import is_under

Sought = TypeVar("Sought", "Seeker", Change)


class Holder(Struct, frozen=True, gc=False):
    """A content in the target that leaves its key; `vacates` when nothing else will be written there."""

    key: str
    size: int
    digest: Digest
    version: Version
    vacates: bool
    executable: bool = False


class Seeker(Struct, frozen=True, gc=False):
    """A key that is to get new content; `digest` None until somebody has read the source."""

    key: str
    size: int
    digest: Digest | None = None
    executable: bool = False


def candidates(holders: Iterable[Holder], sized: Iterable[Sought]) -> Iterator[Sought]:
    """Those of the sized things whose content could be a holder's: equal, non-zero size."""
    sizes = {holder.size for holder in holders if holder.size}
    return (one for one in sized if one.size in sizes)


def pair(holders: Collection[Holder], seekers: Iterable[Seeker], *, tree: bool = False) -> dict[str, Holder]:
    """Which seeker takes which holder's content: seeker key → holder. Deterministic; a holder serves at most once.

    A vacating holder is taken before one that is overwritten, one of the same name before another. A file moves with
    its executable bit, so only a holder with the bit that is sought is taken. On a `tree` store no file is moved into
    its own place as a directory (`a` → `a/b`): that is a replacement.
    """
    by_content: dict[tuple[Digest, bool], list[Holder]] = defaultdict(list)
    for holder in holders:
        if holder.size:
            by_content[holder.digest, holder.executable].append(holder)
    paired: dict[str, Holder] = {}
    for seeker in sorted(seekers, key=lambda one: one.key):
        held = by_content.get((seeker.digest, seeker.executable), ()) if seeker.digest is not None else ()
        offers = [one for one in held if one.key != seeker.key and not (tree and _nested(one.key, seeker.key))]
        if offers:
            name = _name(seeker.key)
            best = min(offers, key=lambda one: (not one.vacates, _name(one.key) != name, one.key))
            by_content[best.digest, best.executable].remove(best)
            paired[seeker.key] = best
    return paired


def _nested(one: str, other: str) -> bool:
    return is_under(one, other) or is_under(other, one)


def _name(key: str) -> str:
    return key.rpartition("/")[2]
