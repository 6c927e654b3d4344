"""Ways into a directory tree that never lead out of it: every step is taken through a handle of the step before.

The kernel never follows a link for us, so a symlink planted on the way, before or between our steps, is met and
refused. Where it can, it takes all steps at once; where the system has no such handles (Windows), the steps are looked
at one by one instead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
import errno
import os
import stat
from threading import Lock
from typing import Final, NamedTuple

from reconcile.core.errors import ChangedError, DeniedError, NotFoundError, RefusedError
from reconcile.core.path import CONTROL_DIR, TEMP_PREFIX, has_control, match_key, parents, why_not_key
from reconcile.stores.beneath import open_beneath

HAS_HANDLES: Final = os.open in os.supports_dir_fd and hasattr(os, "O_DIRECTORY") and hasattr(os, "O_NOFOLLOW")

# Not following a symlink, not waiting for a FIFO to be opened by somebody else, not inherited by hooks.
SAFELY: Final = (
    getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)
_DIRECTORY: Final = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_CLOEXEC", 0)

_RESERVED: Final = frozenset({".git", ".ssh", "git~1", CONTROL_DIR})
_IGNORED_BY_SYSTEMS: Final = dict.fromkeys(
    (*range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x206A, 0x2070), 0xFEFF)
)
_WINDOWS_DEVICES: Final = frozenset({"con", "prn", "aux", "nul"}) | {
    f"{p}{n}" for p in ("com", "lpt") for n in range(1, 10)
}
_NOT_ON_WINDOWS: Final = frozenset('<>:"\\|?*') | {chr(code) for code in range(32)}


class Spot(NamedTuple):
    """One name in one directory: what the `os` calls take as `name, dir_fd=fd`.

    Where the system has no handles, `fd` is None and `name` the whole path.
    """

    fd: int | None
    name: str

    def named(self, name: str) -> Spot:
        """Another name in the same directory."""
        return Spot(self.fd, name if self.fd is not None else f"{self.name.rpartition('/')[0]}/{name}")

    @property
    def directory(self) -> int | str:
        """The directory itself: its handle, or its path."""
        return self.fd if self.fd is not None else self.name.rpartition("/")[0]

    def is_listed(self) -> bool:
        """Whether the directory holds exactly this spelling of the name."""
        with os.scandir(self.directory) as names:
            return any(found.name == self.name.rpartition("/")[2] for found in names)

    def leads_where(self, other: Spot) -> bool:
        """Whether one file is under both names."""
        here, there = self.stat(), other.stat()
        return here is not None and there is not None and os.path.samestat(here, there)

    def is_same(self, other: Spot) -> bool:
        """Whether both are the same spelling in the same directory."""
        return self.name == other.name and self.named(".").leads_where(other.named("."))

    def stat(self) -> os.stat_result | None:
        """What is under this name: itself, not what it points to. None if nothing is."""
        try:
            return os.stat(self.name, dir_fd=self.fd, follow_symlinks=False)
        except FileNotFoundError:
            return None


Make = Callable[[Spot, str], None]
"""Makes the missing directory at a spot; its key is told."""


def _is_reserved(segment: str) -> bool:
    """Whether some system takes this name for our own or one that programs obey (`.GIT`, `.git.`, `.g\u200cit`)."""
    return match_key(segment.translate(_IGNORED_BY_SYSTEMS), "casefold").rstrip(" .") in _RESERVED


def _refused_by_windows(segment: str) -> bool:
    return (
        segment[-1] in " ."
        or segment.partition(".")[0].casefold() in _WINDOWS_DEVICES
        or bool(_NOT_ON_WINDOWS & set(segment))
    )


def check_key(key: str, op: str) -> None:
    """Refuses what cannot be a name inside a root."""
    why = why_not_key(key)
    if why:
        raise RefusedError(why, op=op, path=key)


def check_writable(key: str, op: str, *, windows: bool = os.name == "nt") -> None:
    """Refuses names that cannot be inside a root, or that programs obey; of ours only `.reconcile/…/…` may be."""
    check_key(key, op)
    segments = key.split("/")
    if segments[0] == CONTROL_DIR and len(segments) > 2:
        segments = segments[1:]
    if has_control("/".join(segments)) or any(_is_reserved(segment) for segment in segments):
        raise RefusedError("is a reserved name", op=op, path=key, hint="exclude it, or choose another target")
    if windows and any(_refused_by_windows(segment) for segment in segments):
        raise RefusedError("is no name on Windows", op=op, path=key)


def check_deletable(key: str) -> None:
    """As `check_writable`, but what an unfinished write left behind may go, and so may our own notes."""
    directory, slash, name = key.rpartition("/")
    if name.startswith(TEMP_PREFIX):
        name = "x"
    if directory == CONTROL_DIR:
        directory = f"{CONTROL_DIR}/x"
    check_writable(f"{directory}{slash}{name}", "delete")


class Root:
    """The directory all keys are relative to; it may itself be reached through a symlink. Safe for many threads."""

    def __init__(self, path: str) -> None:
        self.path = os.path.abspath(path)  # noqa: PTH100 - Path.resolve would follow the symlink
        self._lock = Lock()
        self._handles: list[int] = []
        self._identity: tuple[int, int] | None = None

    def refresh(self) -> None:
        """Takes the root as it is now; between two calls it must stay the same directory."""
        with self._lock:
            if self._identity != self._look():
                self._open()

    def close(self) -> None:
        """Gives back the handles."""
        with self._lock:
            while self._handles:
                os.close(self._handles.pop())
            self._identity = None

    @contextmanager
    def spot(self, key: str, *, make: Make | None = None) -> Iterator[Spot]:
        """The place of a key; its directories are made by `make` where they are missing, else FileNotFoundError."""
        with self._lock:
            if self._identity is None:
                self._open()
            elif self._identity != self._look():
                raise ChangedError("is another directory than before", op="open", path=self.path)
            root = self._handles[-1] if HAS_HANDLES else None
        at = _at_once(root, key) or _step_by_step(self._top(root), key, make)
        try:
            yield at.named(key.rpartition("/")[2])
        finally:
            _close(at)

    def _top(self, root: int | None) -> Spot:
        return Spot(os.dup(root), "") if root is not None else Spot(None, f"{self.path}/")

    def _look(self) -> tuple[int, int]:
        try:
            found = os.stat(self.path)  # noqa: PTH116 - once for every name: a Path is made slower than it is looked at
        except (FileNotFoundError, NotADirectoryError) as error:
            raise NotFoundError("does not exist", op="open", path=self.path) from error
        except PermissionError as error:
            raise DeniedError("permission denied", op="open", path=self.path) from error
        if not stat.S_ISDIR(found.st_mode):
            raise RefusedError("is not a directory", op="open", path=self.path)
        return found.st_dev, found.st_ino

    def _open(self) -> None:
        """Takes a handle; those of before stay open, other threads may be using them."""
        self._identity = self._look()
        if not HAS_HANDLES:
            return
        try:
            self._handles.append(os.open(self.path, _DIRECTORY))
        except PermissionError as error:
            self._identity = None  # nothing was taken: the next caller tries again
            raise DeniedError("permission denied", op="open", path=self.path) from error


def _at_once(root: int | None, key: str) -> Spot | None:
    """The directory of a key below the root by one call; None where it takes steps, if only to tell what is wrong."""
    directory = key.rpartition("/")[0]
    fd = open_beneath(root, directory, _DIRECTORY | SAFELY) if root is not None and directory else None
    return Spot(fd, "") if fd is not None else None


def _step_by_step(at: Spot, key: str, make: Make | None) -> Spot:
    """The directory of a key below `at`, which is closed; what is missing is made by `make`, if it is given."""
    try:
        for directory in parents(key):
            last, at = at, _enter(at.named(directory.rpartition("/")[2]), directory, make)
            _close(last)
    except BaseException:
        _close(at)
        raise
    return at


def _enter(spot: Spot, directory: str, make: Make | None) -> Spot:
    """The inside of the directory at `spot`, made where it is missing and `make` is given."""
    try:
        return _inside(spot, directory)
    except FileNotFoundError:
        if make is None:
            raise
    make(spot, directory)
    return _inside(spot, directory)


def _inside(spot: Spot, directory: str) -> Spot:
    """The inside of the directory at `spot`; NotADirectoryError for a file, `RefusedError` for a symlink."""
    if HAS_HANDLES:
        try:
            return Spot(os.open(spot.name, _DIRECTORY | SAFELY, dir_fd=spot.fd), "")
        except OSError as error:
            if error.errno not in (errno.ELOOP, errno.ENOTDIR):
                raise
    found = spot.stat()
    if found is None:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), directory)
    if stat.S_ISLNK(found.st_mode) or _is_junction(found):
        raise RefusedError(
            "is a symlink on the way", op="open", path=directory, hint="symlinks in a target are not followed"
        )
    if HAS_HANDLES or not stat.S_ISDIR(found.st_mode):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), directory)
    return Spot(None, f"{spot.name}/")


def _is_junction(found: os.stat_result) -> bool:
    return bool(getattr(found, "st_reparse_tag", 0))  # Windows' other kind of link


def _close(spot: Spot) -> None:
    if spot.fd is not None:
        os.close(spot.fd)
