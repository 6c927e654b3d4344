"""What `gc` took away and what it left, line by line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from reconcile.core.counts import plural, size_text
from reconcile.core.path import shown

Amount = tuple[int, int]
"""So many things, of so many bytes."""

NOUNS: Final = {
    "kept": "kept file",
    "parked": "parked file",
    "unfinished": "unfinished write",
    "probes": "probe object",
    "directories": "empty directory",
    "runs": "run of the history",
    "generations": "old copy of the state",
    "commits": "commit of the state's log",
    "fingerprints": "remembered digest",
    "caches": "forgotten cache",
}
"""What is counted; their plurals are regular but for these."""

_PLURALS: Final = {
    "directories": "empty directories",
    "runs": "runs of the history",
    "generations": "old copies of the state",
    "commits": "commits of the state's log",
}


def gc_lines(
    gone: Mapping[str, Amount], left: Mapping[tuple[str, str, str], Amount], *, verb: str = "Removed"
) -> Iterator[str]:
    """What was left, by mapping and reason; the last line is what went. Keys of `left`: (mapping, kind, why)."""
    for (mapping, kind, why), amount in left.items():
        yield shown(f"  left {mapping}: {_told(kind, amount)}: {why}")
    told = [_told(kind, gone[kind]) for kind in NOUNS if kind in gone]
    yield f"{verb} {', '.join(told)}." if told else "Nothing to remove."


def _told(kind: str, amount: Amount) -> str:
    count, size_bytes = amount
    named = f"{count:,} {_PLURALS[kind]}" if count != 1 and kind in _PLURALS else plural(count, NOUNS[kind])
    return f"{named} ({size_text(size_bytes)})" if size_bytes else named
