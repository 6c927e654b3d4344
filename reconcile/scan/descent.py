"""The way down: a stack of open directories that never holds more than a few handles, however deep it gets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
import errno
import os
from typing import Final

from reconcile.scan.system import ENTER, NO_LINK, Calls, open_beneath, open_root, translated

HANDLES: Final = 64
"""Directories kept open at once, the root apart; those further out are put away and opened again on the way back."""


@dataclass(slots=True)
class Level:
    """One directory on the way down.

    `prefix` is what its keys begin with (`a/b/`), `real` its key with links resolved, `seen` its stat when it was
    entered, `fd` None while it is put away. `names` are those still to come; `empty` until something was found in it;
    `passage` when only one name of it is wanted.
    """

    prefix: str
    real: str
    fd: int | None
    seen: os.stat_result
    names: Iterator[str]
    empty: bool = True
    passage: bool = False

    @property
    def key(self) -> str:
        """The directory's own key; "" for the root."""
        return self.prefix[:-1]

    @property
    def identity(self) -> tuple[int, int]:
        """Device and inode."""
        return self.seen.st_dev, self.seen.st_ino


class Descent:
    """The directories from the root to where we are; `top` is the innermost, always open."""

    def __init__(self, root: str, calls: Calls) -> None:
        self._calls = calls
        self._levels: list[Level] = []
        self._root = open_root(calls, root)
        try:
            self._push("", "", self._root)
        except OSError as error:
            raise translated(error, "scan", root) from error

    @property
    def top(self) -> Level:
        """The innermost directory."""
        return self._levels[-1]

    def enter(self, name: str) -> Level:
        """Goes into the directory `name` of the innermost one, never through a link. Raises `OSError`."""
        top = self.top
        fd = self._calls.open(name, ENTER | NO_LINK, dir_fd=top.fd)
        return self._push(f"{top.prefix}{name}/", f"{top.real}/{name}".lstrip("/"), fd)

    def enter_link(self, name: str, real: str) -> Level:
        """Goes into the directory `real`, to which the link `name` leads; `ELOOP` when we are inside it already."""
        fd = open_beneath(self._calls, self._root, real or ".", ENTER)
        level = self._push(f"{self.top.prefix}{name}/", real, fd)
        if any(level.identity == other.identity for other in self._levels[:-1]):
            self.leave()
            raise OSError(errno.ELOOP, "the link leads back to a directory it stands in")
        return level

    def leave(self) -> Level | None:
        """Comes back from the innermost directory to the one around it; None when that was the root.

        Raises `OSError` when the directory around it was put away and is no longer found in its place: it is the `top`
        all the same, without a handle.
        """
        self._put_away(self._levels.pop())
        if not self._levels:
            return None
        if self.top.fd is None:
            self._reopen(self.top)
        return self.top

    def close(self) -> None:
        """Closes every handle."""
        while self._levels:
            self._put_away(self._levels.pop())

    def _push(self, prefix: str, real: str, fd: int) -> Level:
        try:
            level = Level(prefix, real, fd, self._calls.fstat(fd), iter(()))
        except OSError:
            self._calls.close(fd)
            raise
        self._levels.append(level)
        if len(self._levels) > HANDLES + 1:
            self._put_away(self._levels[-HANDLES - 1])
        return level

    def _put_away(self, level: Level) -> None:
        fd, level.fd = level.fd, None
        if fd is not None:
            self._calls.close(fd)

    def _reopen(self, level: Level) -> None:
        fd = open_beneath(self._calls, self._root, level.real, ENTER)
        seen = self._calls.fstat(fd)
        if (seen.st_dev, seen.st_ino) != level.identity:
            self._calls.close(fd)
            raise OSError(errno.ESTALE, "the directory was replaced while it was read")
        level.fd = fd
