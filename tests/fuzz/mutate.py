"""Bytes a little, or very, unlike others: what a seed makes of a corpus, it makes of it again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
import random

ODD = (
    b"\0", b"\xff", b"\xc3\x28", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\r\n", b"\n", b"\t", b" ", b"..",
    b"../", b"/", b"//", b"\\", b"*", b"**", b"?", b"[", b"]", b"[!", b"[^]", b"!", b"#", b"&", b"&amp;",
    b"<", b">", b"<!--", b"]]>", b"%2F", b"%", b"+", b"~", b"${", b"}", b"&a", b"*a", b"<<: *a", b"{",
    b"- ", b": ", b"!!python/object", b"-1", b"0", b"9" * 30, b"1e999", b"nan", b"true", b"null",
    b".reconcile/", b"::add-mask::", b"\x1b[2J", b"\xe2\x80\xae", b"\xf0\x9f\x98\x80", b"a" * 300,
)  # fmt: skip

Change = Callable[[bytearray, random.Random], None]


def _at(data: bytearray, chance: random.Random) -> int:
    return chance.randint(0, len(data))


def _flip(data: bytearray, chance: random.Random) -> None:
    if data:
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def _cut(data: bytearray, chance: random.Random) -> None:
    start = _at(data, chance)
    del data[start : start + chance.choice((1, 2, 8, 64, len(data)))]


def _repeat(data: bytearray, chance: random.Random) -> None:
    start = _at(data, chance)
    piece = data[start : start + chance.choice((1, 4, 16, 100))]
    at = _at(data, chance)
    data[at:at] = piece * chance.choice((1, 2, 50))


def _put(data: bytearray, chance: random.Random) -> None:
    at = _at(data, chance)
    data[at:at] = chance.choice(ODD)


def _over(data: bytearray, chance: random.Random) -> None:
    at = _at(data, chance)
    odd = chance.choice(ODD)
    data[at : at + len(odd)] = odd


def _zero(data: bytearray, chance: random.Random) -> None:
    at = _at(data, chance)
    length = min(chance.choice((1, 8, 512)), len(data) - at)
    data[at : at + length] = bytes(length)


CHANGES: Sequence[Change] = (_flip, _cut, _repeat, _put, _put, _over, _zero)


def mutant(corpus: Sequence[bytes], seed: int) -> bytes:
    """The corpus's child of this seed: one of it, sometimes with the end of another, changed once or a few times."""
    chance = random.Random(seed)
    data = bytearray(chance.choice(corpus))
    if chance.random() < 0.1:
        other = chance.choice(corpus)
        data[_at(data, chance) :] = other[chance.randint(0, len(other)) :]
    for _ in range(chance.choice((1, 1, 1, 2, 3, 8))):
        chance.choice(CHANGES)(data, chance)
    return bytes(data[: 1 << 20])
