"""PostgreSQL's errors as ours, by the code that stands in every answer of a server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
import re
from typing import Final

from reconcile.core.errors import BusyError, ChangedError, DeniedError, NotFoundError, RefusedError, StoreError
from reconcile.stores.patience import UnreachableError


class HeldError(BusyError):
    """Another session holds what is needed, and was waited for."""


_BY_STATE: Final[dict[str, tuple[type[StoreError], str]]] = {
    "28": (DeniedError, "the server does not let this user in"),
    "3D000": (NotFoundError, "there is no such database"),
    "3F000": (NotFoundError, "there is no such schema"),
    "42501": (DeniedError, "this user may not do that"),
    "42P07": (ChangedError, "something has that name"),
    "42P01": (ChangedError, "the table is gone"),
    "53100": (StoreError, "the server's disk is full"),
    "53": (BusyError, "the server is at its limits"),
    "55P03": (HeldError, "another session holds the table"),
    "40": (BusyError, "another session was in the way"),
    "57014": (StoreError, "the server ended the statement; this user may need a longer statement_timeout"),
    "57": (BusyError, "the server is stopping, or was interrupted"),
    "08": (BusyError, "the connection broke"),
}
_UNREACHED: Final[tuple[tuple[str, type[StoreError], str], ...]] = (
    (r'database ".*" does not exist', NotFoundError, "there is no such database"),
    (r'role ".*" does not exist', DeniedError, "the server does not let this user in"),
    ("authentication failed", DeniedError, "the server does not let this user in"),
    ("no pg_hba.conf entry", DeniedError, "the server does not let this user in"),
    ("no password supplied", DeniedError, "the server asks for a password"),
    ("server closed the connection|connection not open", BusyError, "the connection broke"),
)
"""What refuses a connection has no code in libpq, only words."""

_HINTS: Final[dict[type[StoreError], str]] = {
    DeniedError: "give user and password where the connection stands in `stores:`, and ask for the rights",
    UnreachableError: "check that the server runs, and its host and port where the connection stands in `stores:`",
    NotFoundError: "create_target: true makes it, or reconcile create",
}


@contextmanager
def translated(url: str) -> Iterator[None]:
    """ADBC's errors as ours; the server's own words follow, which hold no secret."""
    import adbc_driver_manager  # noqa: PLC0415 - heavy

    try:
        yield
    except adbc_driver_manager.Error as error:
        state = getattr(error, "sqlstate", None) or ""
        told = _told(str(error))
        reached = not isinstance(error, adbc_driver_manager.OperationalError)
        kind, words = _meaning(state, told, reached=reached)
        message = words if words == told or not told else f"{words} ({told})"
        raise kind(message, op="postgresql", path=url, hint=_HINTS.get(kind, "")) from error


def _meaning(state: str, told: str, *, reached: bool) -> tuple[type[StoreError], str]:
    for code in (state, state[:2]):
        if code and code in _BY_STATE:
            return _BY_STATE[code]
    if not state:
        for sign, kind, words in _UNREACHED:
            if re.search(sign, told):
                return kind, words
        if not reached:
            return UnreachableError, "the server cannot be reached"
    return RefusedError, told


def _told(text: str) -> str:
    """The server's sentence, without the driver's frame."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    line = next((line for line in lines if "ERROR:" in line or "FATAL:" in line), lines[0] if lines else "")
    for frame in ("ERROR:", "FATAL:"):
        line = line.rpartition(frame)[2]
    return line.strip()
