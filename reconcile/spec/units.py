"""Durations, sizes and limits as people write them."""

from __future__ import annotations

import re
from typing import Final

from reconcile.core.policy import Limit

_DURATION: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d)")
_SECONDS: Final = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SIZE: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)(B|KiB|MiB|GiB|TiB)?")
_BYTES: Final = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}
_SHARE: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)%")


def duration_s(text: str) -> float:
    """Seconds of `200ms`, `5s`, `10m`, `1h`, `30d`; `ValueError` for anything else."""
    found = _DURATION.fullmatch(text)
    if not found:
        raise ValueError(f"`{text}` is not a duration such as 200ms, 5s, 10m, 1h, 30d")
    # Dividing keeps 200ms exactly 0.2, which multiplying by 0.001 would not.
    number, unit = float(found[1]), found[2]
    return number / 1000 if unit == "ms" else number * _SECONDS[unit]


def size_bytes(written: str | int) -> int:
    """Bytes of `5GiB`, `1.5MiB`, `4096`; `ValueError` for anything else."""
    found = _SIZE.fullmatch(str(written))
    if not found:
        raise ValueError(f"`{written}` is not a size such as 4096, 64KiB, 10MiB, 5GiB")
    number, unit = found[1], found[2] or "B"
    return int(float(number) * _BYTES[unit]) if "." in number else int(number) * _BYTES[unit]


def limit(written: str | int) -> Limit:
    """The limit of a guard: `50%` of the paths, a count of `200`, or `off`; `ValueError` for anything else."""
    text = str(written)
    if text == "off":
        return Limit()
    if found := _SHARE.fullmatch(text):
        share = float(found[1]) / 100
        if share <= 1:
            return Limit(share=share)
    elif text.isascii() and text.isdecimal():
        return Limit(count=int(text))
    raise ValueError(f"`{written}` is not a limit such as 50%, 200, off")
