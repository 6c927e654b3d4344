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
from types import ModuleType

from reconcile.ports import io_step

fcntl: ModuleType | None
try:
    import fcntl
except ImportError:  # pragma: no cover - Windows
    fcntl = None


def beside(path: Path, suffix: str) -> Path:
    """`path` with `suffix` put behind its whole name."""
    return path.with_name(path.name + suffix)


def make_directory(path: Path) -> None:
    """Durably makes a directory, and the missing ones above it, for the user alone."""
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
    _rename(temporary, path)
    sync_directory(path.absolute().parent)


@io_step("file.rename")
def _rename(temporary: Path, path: Path) -> None:
    temporary.replace(path)


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
    """Nobody else who asks for the same directory is inside at the same time, where the system has such locks."""
    if fcntl is None:  # pragma: no cover - Windows
        yield
        return
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        _lock(descriptor)
        yield
    finally:
        os.close(descriptor)


@io_step("file.lock")
def _lock(descriptor: int) -> None:
    assert fcntl is not None, "asked only where there are such locks"
    fcntl.flock(descriptor, fcntl.LOCK_EX)
