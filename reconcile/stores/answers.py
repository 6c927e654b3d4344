"""What the answers of all services over HTTP have in common."""

from __future__ import annotations

from typing import Final

from reconcile.core.errors import BusyError, DamagedError, NotFoundError, StoreError

_CHANGES: Final = ("write", "copy", "move", "delete")
_PROXY: Final = "is there a proxy in between?"


class NoContainerError(NotFoundError):
    """The bucket, container or volume itself is missing."""


def garbled(message: str, op: str, path: str) -> StoreError:
    """The error that an unreadable answer means: of a change, a lost reply, since it may have happened."""
    kind = BusyError if op in _CHANGES else DamagedError
    return kind(message, op=op, path=path, hint=_PROXY)


def seconds(header: str | None) -> float | None:
    """A Retry-After header in seconds; a date there counts as none."""
    try:
        return max(0.0, float(header)) if header else None
    except ValueError:
        return None
