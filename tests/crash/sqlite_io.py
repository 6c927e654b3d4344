"""SQLite's own I/O, heard and failed: a shim around the default VFS of the very library the `sqlite3` module uses.

A file that SQLite opens while a shim is installed keeps its own object; only its table of methods is replaced by a copy
whose methods pass through us. So locks, shared memory and the handling of errors are SQLite's own.

::

    sqlite.open PATH                a file that may be written
    sqlite.read PATH OFFSET SIZE
    sqlite.write PATH OFFSET DATA
    sqlite.truncate PATH SIZE
    sqlite.sync PATH
    sqlite.sync_directory PATH      as SQLite does once after it made a log; SQLite itself ignores its failure
    sqlite.unlink PATH
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
import ctypes
import errno
from functools import cache
import os
import sqlite3
import sys
from typing import Any, Final

from reconcile.ports import Hook

_CALLS: Final = (
    "xOpen xDelete xAccess xFullPathname xDlOpen xDlError xDlSym xDlClose xRandomness xSleep xCurrentTime"
    " xGetLastError xCurrentTimeInt64 xSetSystemCall xGetSystemCall xNextSystemCall"
)
_METHODS: Final = (
    "xClose xRead xWrite xTruncate xSync xFileSize xLock xUnlock xCheckReservedLock xFileControl xSectorSize"
    " xDeviceCharacteristics xShmMap xShmLock xShmBarrier xShmUnmap xFetch xUnfetch"
)
_OPEN_READ_ONLY: Final = 1
_FULL, _CANTOPEN = 13, 14
_FAILED: Final = {"open": _CANTOPEN, "read": 266, "write": 778, "truncate": 1546, "sync": 1034, "unlink": 2570}
"""What SQLite's own methods answer when the system call behind them fails (`SQLITE_IOERR_WRITE`, …)."""


class _Vfs(ctypes.Structure):
    _fields_ = (
        ("iVersion", ctypes.c_int),
        ("szOsFile", ctypes.c_int),
        ("mxPathname", ctypes.c_int),
        ("pNext", ctypes.c_void_p),
        ("zName", ctypes.c_char_p),
        ("pAppData", ctypes.c_void_p),
        *((name, ctypes.c_void_p) for name in _CALLS.split()),
    )


class _Methods(ctypes.Structure):
    _fields_ = (("iVersion", ctypes.c_int), *((name, ctypes.c_void_p) for name in _METHODS.split()))


_P, _I, _L = ctypes.c_void_p, ctypes.c_int, ctypes.c_longlong
_TYPES: Final[dict[str, Any]] = {
    "xOpen": ctypes.CFUNCTYPE(_I, _P, _P, _P, _I, _P),
    "xDelete": ctypes.CFUNCTYPE(_I, _P, ctypes.c_char_p, _I),
    "xClose": ctypes.CFUNCTYPE(_I, _P),
    "xRead": ctypes.CFUNCTYPE(_I, _P, _P, _I, _L),
    "xWrite": ctypes.CFUNCTYPE(_I, _P, _P, _I, _L),
    "xTruncate": ctypes.CFUNCTYPE(_I, _P, _L),
    "xSync": ctypes.CFUNCTYPE(_I, _P, _I),
}
_RANDOMNESS: Final = ctypes.CFUNCTYPE(_I, _P, _I, _P)
_OPEN_DIRECTORY: Final = ctypes.CFUNCTYPE(_I, ctypes.c_char_p, _P)
_SET_CALL: Final = ctypes.CFUNCTYPE(_I, _P, ctypes.c_char_p, _P)
_GET_CALL: Final = ctypes.CFUNCTYPE(_P, _P, ctypes.c_char_p)


@cache
def library() -> ctypes.CDLL | None:
    """The SQLite on which the `sqlite3` module of this Python runs; None where nobody can reach into it."""
    if not sys.platform.startswith("linux"):
        return None
    import _sqlite3  # its file tells which library it was linked with

    for name in (getattr(_sqlite3, "__file__", None), None):
        try:
            found = ctypes.CDLL(name)
            found.sqlite3_vfs_find.restype = ctypes.POINTER(_Vfs)
            found.sqlite3_libversion.restype = ctypes.c_char_p
        except (OSError, AttributeError):  # linked in statically, its symbols hidden
            continue
        if found.sqlite3_libversion().decode() == sqlite3.sqlite_version:
            return found
    return None


WHY_NOT: Final = "" if library() else "the SQLite of this Python is linked in, out of reach of a shim"
"""Why SQLite's I/O cannot be heard here; "" where it can."""


@contextmanager
def heard(hook: Hook) -> Iterator[None]:
    """While inside, whatever SQLite does to a file it opens is told to `hook`; an OSError it raises is the answer."""
    shim = _shim()
    shim.hooks.append(hook)
    try:
        yield
    finally:
        shim.hooks.remove(hook)


@contextmanager
def same_chance() -> Iterator[None]:
    """While inside, the numbers that SQLite draws by lot (for the log's frames) are those of any other time inside."""
    shim, found = _shim(), library()
    assert found is not None
    shim.drawn = bytes
    found.sqlite3_randomness(0, None)  # what it draws next, it draws anew
    try:
        yield
    finally:
        shim.drawn = os.urandom
        found.sqlite3_randomness(0, None)


@cache
def _shim() -> _Shim:
    """One for the process, for ever: connections keep pointers into it."""
    return _Shim()


class _Shim:
    """The default VFS with our methods in front; `hooks` hear. `drawn` gives what SQLite's lots begin with."""

    def __init__(self) -> None:
        found = library()
        assert found is not None, WHY_NOT
        self.hooks: list[Hook] = []
        self.drawn: Callable[[int], bytes] = os.urandom
        self._inner = found.sqlite3_vfs_find(None)
        self._paths: dict[int, tuple[str, _Methods]] = {}
        self._tables: dict[int, _Methods] = {}
        self._synced_directories: list[str] = []
        self._vfs = _Vfs.from_buffer_copy(self._inner.contents)
        self._vfs.zName = b"heard"
        self._kept = {name: kind(getattr(self, f"_{name}")) for name, kind in _TYPES.items()}
        for name in ("xOpen", "xDelete"):
            setattr(self._vfs, name, ctypes.cast(self._kept[name], _P).value)
        self._kept["xRandomness"] = _RANDOMNESS(self._xRandomness)
        self._vfs.xRandomness = ctypes.cast(self._kept["xRandomness"], _P).value
        self._hear_directories()
        found.sqlite3_vfs_register(ctypes.byref(self._vfs), 1)

    def _hear_directories(self) -> None:
        """SQLite opens a directory only to sync it; that call alone passes through no method of a file."""
        inner = self._inner.contents
        was = _OPEN_DIRECTORY(_GET_CALL(inner.xGetSystemCall)(ctypes.byref(inner), b"openDirectory"))

        def opened(path: bytes, fd: int) -> int:
            self._synced_directories.append(os.path.dirname(os.fsdecode(path)))
            return was(path, fd)

        self._kept["openDirectory"] = _OPEN_DIRECTORY(opened)
        hook = ctypes.cast(self._kept["openDirectory"], _P)
        _SET_CALL(inner.xSetSystemCall)(ctypes.byref(inner), b"openDirectory", hook)

    def _xRandomness(self, _vfs: int, size: int, out: int) -> int:  # noqa: N802
        ctypes.memmove(out, self.drawn(size), size)
        return size

    def _xOpen(self, _vfs: int, name: int, file: int, flags: int, out: int) -> int:  # noqa: N802
        path = os.fsdecode(ctypes.string_at(name)) if name else ""

        def act() -> int:
            inner = self._inner.contents
            code = _TYPES["xOpen"](inner.xOpen)(ctypes.addressof(inner), name, file, flags, out)
            if code == 0 and path:
                self._replace_methods(file, path)
            return code

        return self._pass("open", (path,), act, quiet=not path or bool(flags & _OPEN_READ_ONLY))

    def _replace_methods(self, file: int, path: str) -> None:
        slot = ctypes.cast(file, ctypes.POINTER(_P))
        at = slot[0]
        inner = _Methods.from_address(at)
        if at not in self._tables:
            ours = self._tables[at] = _Methods.from_buffer_copy(inner)
            for name in _TYPES:
                if name not in ("xOpen", "xDelete"):
                    setattr(ours, name, ctypes.cast(self._kept[name], _P).value)
        self._paths[file] = (path, inner)
        slot[0] = ctypes.addressof(self._tables[at])

    def _xClose(self, file: int) -> int:  # noqa: N802
        _, inner = self._paths.pop(file)
        ctypes.cast(file, ctypes.POINTER(_P))[0] = ctypes.addressof(inner)
        return int(_TYPES["xClose"](inner.xClose)(file))

    def _xRead(self, file: int, data: int, size: int, offset: int) -> int:  # noqa: N802
        path, inner = self._paths[file]
        act = _TYPES["xRead"](inner.xRead)
        return self._pass("read", (path, offset, size), lambda: act(file, data, size, offset))

    def _xWrite(self, file: int, data: int, size: int, offset: int) -> int:  # noqa: N802
        path, inner = self._paths[file]
        act = _TYPES["xWrite"](inner.xWrite)
        told = (path, offset, ctypes.string_at(data, size))
        return self._pass("write", told, lambda: act(file, data, size, offset))

    def _xTruncate(self, file: int, size: int) -> int:  # noqa: N802
        path, inner = self._paths[file]
        act = _TYPES["xTruncate"](inner.xTruncate)
        return self._pass("truncate", (path, size), lambda: act(file, size))

    def _xSync(self, file: int, flags: int) -> int:  # noqa: N802
        path, inner = self._paths[file]
        act = _TYPES["xSync"](inner.xSync)
        return self._pass("sync", (path,), lambda: act(file, flags))

    def _xDelete(self, _vfs: int, name: bytes, sync: int) -> int:  # noqa: N802
        inner = self._inner.contents
        act = _TYPES["xDelete"](inner.xDelete)
        return self._pass("unlink", (os.fsdecode(name),), lambda: act(ctypes.addressof(inner), name, sync))

    def _pass(self, step: str, told: tuple[Any, ...], act: Callable[[], int], *, quiet: bool = False) -> int:
        """The step itself, with what is to be heard before and after it."""
        if quiet or not self.hooks:
            return act()
        try:
            self._tell(step, told, done=False)
            code = act()
            if code == 0:
                self._tell(step, told, done=True)
                self._tell_of_directories()
        except OSError as error:
            if step in ("open", "write", "truncate") and error.errno == errno.EINTR:
                return act()  # SQLite begins an interrupted call again
            full = step == "write" and error.errno == errno.ENOSPC
            return _FULL if full else _FAILED[step]
        return code

    def _tell(self, step: str, told: tuple[Any, ...], *, done: bool) -> None:
        for hook in self.hooks:
            hook(f"sqlite.{step}", told, done)

    def _tell_of_directories(self) -> None:
        while self._synced_directories:
            self._tell("sync_directory", (self._synced_directories.pop(),), done=True)
