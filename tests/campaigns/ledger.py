"""What campaigns have done so far: a line of JSON for every part, in turn. A part goes on where the last one ended."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from msgspec import Struct

from reconcile.core.counts import plural

BOOK = Path(__file__).with_name("parts.jsonl")


class Part(Struct, frozen=True):
    """The pieces `first` to `after - 1` of a campaign, and what was done in them; `failed` says what ended it."""

    campaign: str
    date: str
    first: int
    after: int
    seconds: int
    counts: dict[str, int]
    failed: str = ""


def parts(book: Path = BOOK) -> list[Part]:
    """All of them."""
    return [msgspec.json.decode(line, type=Part) for line in book.read_bytes().splitlines()] if book.exists() else []


def goes_on_at(campaign: str, book: Path = BOOK) -> int:
    """The first piece that no part has done."""
    return max((part.after for part in parts(book) if part.campaign == campaign), default=0)


def add(part: Part, book: Path = BOOK) -> None:
    """One more."""
    with book.open("ab") as file:
        file.write(msgspec.json.encode(part) + b"\n")


def sums(book: Path = BOOK) -> list[str]:
    """A line for each campaign: how many pieces, and what was done in all of them."""
    found: dict[str, Counter[str]] = {}
    pieces: Counter[str] = Counter()
    for part in parts(book):
        found.setdefault(part.campaign, Counter()).update(part.counts)
        pieces[part.campaign] += part.after - part.first
    told = {name: ", ".join(f"{number:,} {word}" for word, number in counts.items()) for name, counts in found.items()}
    return [f"{name}: {plural(pieces[name], 'piece')}: {words}" for name, words in told.items()]


def today() -> str:
    return datetime.now(UTC).date().isoformat()
