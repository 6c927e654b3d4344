"""The operating system as this room sees it: a handful of calls, the flags they take, and its errors in our words."""

from __future__ import annotations

from collections.abc import Callable
import errno
import os
from typing import Any, Final

from msgspec import Struct

from reconcile.core.errors import DeniedError, NotFoundError, RefusedError, StoreError


class Calls(Struct, frozen=True):
    """The system calls a scan makes; a test hands in ones that fail, lie or let somebody else in between."""

    open: Callable[..., int] = os.open
    close: Callable[[int], None] = os.close
    read: Callable[[int, int], bytes] = os.read
    fstat: Callable[[int], os.stat_result] = os.fstat
    stat: Callable[..., os.stat_result] = os.stat
    scandir: Callable[..., Any] = os.scandir


REAL: Final = Calls()

ENTER: Final = os.O_RDONLY | os.O_DIRECTORY
"""How a directory is opened: anything else under that name is refused by the kernel, so a FIFO never blocks."""

READ: Final = os.O_RDONLY | os.O_NONBLOCK
"""How a file is opened: without waiting for the other end, should it have become a FIFO."""

NO_LINK: Final = os.O_NOFOLLOW
"""Added where a symbolic link must not be followed."""


def told(error: OSError) -> str:
    """The system's words for an error, as the end of a sentence: `permission denied`."""
    return (error.strerror or str(error)).lower()


def translated(error: OSError, op: str, path: str) -> StoreError:
    """The error of our tree that an `OSError` stands for."""
    if error.errno == errno.ENOENT:
        return NotFoundError("nothing is there", op=op, path=path)
    if error.errno in (errno.EACCES, errno.EPERM):
        return DeniedError(told(error), op=op, path=path)
    if error.errno in (errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG):
        return RefusedError(told(error), op=op, path=path)
    return StoreError(told(error), op=op, path=path)


def open_root(calls: Calls, root: str) -> int:
    """A handle of the directory `root`; the user named it, so a link there is followed.

    Raises `NotFoundError`, `RefusedError` for anything that is not a directory, `DeniedError`.
    """
    try:
        return calls.open(root, ENTER)
    except OSError as error:
        raise translated(error, "scan", root) from error


def open_beneath(calls: Calls, root: int, key: str, flags: int) -> int:
    """Opens `key` below the open directory `root`, segment by segment, following no link anywhere. Raises `OSError`."""
    *above, name = key.split("/")
    at = root
    try:
        for segment in above:
            below = calls.open(segment, ENTER | NO_LINK, dir_fd=at)
            if at != root:
                calls.close(at)
            at = below
        return calls.open(name, flags | NO_LINK, dir_fd=at)
    finally:
        if at != root:
            calls.close(at)
