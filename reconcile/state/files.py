"""Files of the state on disk: private to the user, durable by name and by content.

Temporary files lie in the directory of what they will replace, so that the rename never crosses a file system.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
import os
from pathlib import Path
from secrets import token_hex
import shutil
import time
from types import ModuleType
from typing import Final

from reconcile.core.errors import LockedError
from reconcile.ports import io_step

fcntl: ModuleType | None
try:
    import fcntl
except ImportError:  # pragma: no cover - Windows
    fcntl = None

BUSY_S: Final = 10.0
"""How long a process waits for another one to leave what only one may be in: a commit, the making of a state."""

_POLL_S: Final = 0.02


def busy(told: str) -> LockedError:
    """The error when the other did not leave it."""
    hint = "once more; if it was stopped, let it go on (kill -CONT PID) or end it. look: reconcile lock show"
    return LockedError(told, hint=hint)


def beside(path: Path, suffix: str) -> Path:
    """`path` with `suffix` put behind its whole name."""
    return path.with_name(path.name + suffix)


def set_aside_name(path: Path, suffix: str = "") -> Path:
    """`….replaced-N` for the first N that no file has yet."""
    number = 1
    while (kept := beside(path, f".replaced-{number}{suffix}")).exists():
        number += 1
    return kept


def make_directory(path: Path) -> None:
    """Durably makes a directory, and the missing ones above it, for the user alone."""
    if path.is_dir():
        return
    for directory in [*reversed(path.parents), path]:
        if not directory.is_dir():
            with suppress(FileExistsError):
                _make_directory(directory)
            sync_directory(directory.parent)


@io_step("file.mkdir")
def _make_directory(path: Path) -> None:
    path.mkdir(mode=0o700)


@io_step("file.create")
def make_private(path: Path) -> None:
    """Makes an empty file for the user alone; `FileExistsError` if there is one."""
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))


@io_step("file.write")
def write(path: Path, content: bytes) -> None:
    """Fills a file that is there."""
    path.write_bytes(content)


@io_step("file.write")
def copy_file(source: Path, path: Path) -> None:
    """Fills a file that is there with the content of another."""
    shutil.copyfile(source, path)


@io_step("file.unlink")
def unlink(path: Path) -> None:
    """Takes a name away; silent if it is gone."""
    path.unlink(missing_ok=True)


@contextmanager
def temporary_beside(path: Path) -> Iterator[Path]:
    """A private empty file beside `path` that is gone at the end, unless it was published."""
    temporary = beside(path, f".new-{token_hex(6)}")
    make_private(temporary)
    try:
        yield temporary
    finally:
        unlink(temporary)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary file that is published as `path` at the end; after an error `path` is what it was."""
    with temporary_beside(path) as temporary:
        yield temporary
        publish(temporary, path)


def publish(temporary: Path, path: Path) -> None:
    """Durably gives a finished file its name: before, `path` is the old content, after, the new."""
    sync_file(temporary)
    rename(temporary, path)
    sync_directory(path.absolute().parent)


@io_step("file.rename")
def rename(old: Path, path: Path) -> None:
    """Gives a file another name, over whatever has it."""
    old.replace(path)


@io_step("file.touch")
def touch(path: Path) -> None:
    """Makes a file look as if it was written now."""
    path.touch()


@io_step("file.sync")
def sync_file(path: Path) -> None:
    """Makes the content of a file durable."""
    descriptor = os.open(path, os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@io_step("file.sync_directory")
def sync_directory(path: Path) -> None:
    """Makes the names in a directory durable, where the system can."""
    if fcntl is None:  # pragma: no cover - Windows
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def alone_in(directory: Path) -> Iterator[None]:
    """Nobody else who asks for the same directory is inside at the same time, where the system has such locks.

    `LockedError` when another does not leave it: it may have been stopped there.
    """
    if fcntl is None:  # pragma: no cover - Windows
        yield
        return
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        ends = time.monotonic() + BUSY_S
        while not _lock(descriptor):
            if time.monotonic() > ends:
                raise busy(f"{directory}: another process is making a state here")
            time.sleep(_POLL_S)
        yield
    finally:
        os.close(descriptor)


@io_step("file.lock")
def _lock(descriptor: int) -> bool:
    """Whether we are alone now."""
    assert fcntl is not None, "asked only where there are such locks"
    with suppress(BlockingIOError):
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False
