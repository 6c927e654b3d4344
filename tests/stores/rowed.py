"""Stores of tables as the contract suite can test them: any bytes written as the rows of a CSV, and read back."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
import io
from typing import Any, BinaryIO, cast

from msgspec.structs import replace

from reconcile.core.entry import Digest, Entry, Problem, Version
from reconcile.ports import Body, Hashes, Store
from reconcile.stores.wrapper import Wrapper

HEADER = b"at,held\n"
WIDTH = 30_000
"""So many bytes are in a row, in hexadecimal."""


def rowed_size(size_bytes: int) -> int:
    """How many bytes of CSV hold so many bytes."""
    rows, rest = divmod(size_bytes, WIDTH)
    return len(HEADER) + rows * (12 + 2 * WIDTH) + (12 + 2 * rest if rest else 0)


def plain_size(size_bytes: int) -> int:
    """The reverse; what is no such CSV has no bytes."""
    rows, rest = divmod(max(size_bytes - len(HEADER), 0), 12 + 2 * WIDTH)
    return rows * WIDTH + (max(rest - 12, 0) // 2)


class _RowedStream(io.RawIOBase):
    """A stream of bytes, as CSV; what the stream raises at its end is raised at the end."""

    def __init__(self, inner: BinaryIO) -> None:
        super().__init__()
        self._inner = inner
        self._ready = HEADER
        self._row = 0
        self._ended = False

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        wanted = 1 << 40 if size is None or size < 0 else size
        while len(self._ready) < wanted and not self._ended:
            part = self._inner.read(WIDTH)
            self._ended = not part
            if part:
                self._ready += f"{self._row:010},{part.hex()}\n".encode()
                self._row += 1
        given, self._ready = self._ready[:wanted], self._ready[wanted:]
        return given

    def readinto(self, buffer: Any, /) -> int:
        given = self.read(len(buffer))
        buffer[: len(given)] = given
        return len(given)


class Rowed(Wrapper):
    """A store of tables that holds bytes, as far as anybody can see."""

    def __init__(self, inner: Store) -> None:
        super().__init__(inner)
        self._known: dict[bytes, Digest] = {}

    def list(self, under: str = "", *, after: str | None = None, until: str | None = None) -> Iterator[Entry | Problem]:
        return (_plain(found) for found in super().list(under, after=after, until=until))

    def stat(self, key: str) -> Entry | None:
        found = super().stat(key)
        return _plain(found) if found is not None else None

    def read(self, key: str, *, version: Version | None = None, span: tuple[int, int] | None = None) -> Iterator[bytes]:
        rows = b"".join(super().read(key, version=version)).splitlines()[1:]
        data = b"".join(bytes.fromhex(row.partition(b",")[2].decode()) for row in sorted(rows))
        yield data[slice(*span)] if span else data

    def write(self, key: str, body: Body, *, expect: Version) -> Entry:
        rowed = replace(
            body,
            open=lambda: cast("BinaryIO", _RowedStream(body.open())),
            size_bytes=rowed_size(body.size_bytes),
            digest=None,
            md5=b"",
            data=None,
        )
        if body.data is not None:
            data = _RowedStream(io.BytesIO(body.data)).read()
            rowed = replace(rowed, data=data, digest=Digest(sha256(data).digest()))
            if body.digest is not None:
                self._known[body.digest] = Digest(sha256(data).digest())
        return _plain(super().write(key, rowed, expect=expect))

    def copy(self, entry: Entry, key: str, *, expect: Version) -> Entry:
        return _plain(super().copy(entry, key, expect=expect))

    def move(self, entry: Entry, key: str, *, expect: Version) -> Entry:
        return _plain(super().move(entry, key, expect=expect))

    def prove(self, entry: Entry, hashes: Hashes) -> bool | None:
        return super().prove(entry, Hashes(self._known.get(hashes.sha256, hashes.sha256)))


def _plain(found: Any) -> Any:
    return replace(found, size=plain_size(found.size)) if isinstance(found, Entry) else found
