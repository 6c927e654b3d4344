"""A file that is written beside its final name, and then takes that name in one step or vanishes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
import os
from secrets import token_hex
from typing import Final

from reconcile.core.entry import Entry
from reconcile.core.errors import UnstableError
from reconcile.core.fingerprint import local_version
from reconcile.core.path import TEMP_PREFIX
from reconcile.ports import Body
from reconcile.stores.confine import Spot
from reconcile.stores.disk import Disk
from reconcile.stores.seen import is_executable

CHUNK_BYTES: Final = 1 << 20


class Draft:
    """A temporary file in the directory of its final name; made by `drafted`.

    `fill`, `seal`, `publish`, in this order. Until it is published it is readable by its owner alone.
    """

    def __init__(self, disk: Disk, final: Spot, token: str) -> None:
        self.final = final
        self.temp = final.named(temp_name(token))
        self._disk = disk
        self._fd: int | None = self._create()

    def _create(self) -> int:
        try:
            return self._disk.create(self.temp)
        except FileExistsError:
            # Only we name files so, and this token is ours: it is what an earlier, killed try of this write left.
            self._disk.unlink(self.temp)
            return self._disk.create(self.temp)

    def fill(self, body: Body) -> None:
        """Takes the whole body, reading it to its very end; `UnstableError` if it is not as long as it promised."""
        assert self._fd is not None
        size_bytes = 0
        with body.open() as stream:
            while chunk := stream.read(CHUNK_BYTES):
                size_bytes += len(chunk)
                self._disk.write(self._fd, chunk)
        self._expect_size(size_bytes, body.size_bytes)

    def fill_from(self, source: int, size_bytes: int) -> None:
        """Takes the whole content of an open file."""
        assert self._fd is not None
        done = self._disk.clone(source, self._fd, size_bytes)
        while chunk := os.read(source, CHUNK_BYTES):
            done += len(chunk)
            self._disk.write(self._fd, chunk)
        self._expect_size(done, size_bytes)

    def _expect_size(self, found: int, promised: int) -> None:
        if found != promised:
            raise UnstableError(f"gave {found} bytes, not {promised}")

    def seal(self, mode: int) -> None:
        """Puts the whole file on the disk; nothing is written to it any more."""
        assert self._fd is not None
        self._disk.chmod(self._fd, mode)
        self._disk.sync(self._fd)
        self._sealed = os.fstat(self._fd)
        self._close()

    def publish(self, key: str, *, replace: bool) -> Entry:
        """Gives it its final name; FileExistsError if that is taken and not to be replaced.

        Renaming changes the change time, so that alone is read afterwards. Whatever else somebody changed since the
        seal is not in the version returned: it will be seen as a change, not taken for ours.
        """
        rename = self._disk.rename if replace else self._disk.rename_new
        rename(self.temp, self.final)
        self._disk.sync_directory(self.final)
        sealed, now = self._sealed, self.final.stat() or self._sealed
        version = local_version(sealed.st_size, sealed.st_mtime_ns, now.st_ctime_ns, sealed.st_ino)
        return Entry(key, sealed.st_size, version, sealed.st_mtime_ns, executable=is_executable(sealed))

    def discard(self) -> None:
        """Closes and removes what was not published."""
        self._close()
        with suppress(OSError):
            self._disk.unlink(self.temp)

    def _close(self) -> None:
        if self._fd is not None:
            fd, self._fd = self._fd, None
            os.close(fd)


def temp_name(token: str = "") -> str:
    """The name a file has while it is written: told by the write's token, so that a later run finds a dead one's."""
    return TEMP_PREFIX + (token if token.isascii() and token.isalnum() and len(token) <= 64 else token_hex(8))


@contextmanager
def drafted(disk: Disk, final: Spot, token: str) -> Iterator[Draft]:
    """A draft that leaves nothing behind unless it is published."""
    draft = Draft(disk, final, token)
    try:
        yield draft
    finally:
        draft.discard()
