"""Files of the state on disk: private to the user, durable by name and by content."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
import os
from pathlib import Path
from secrets import token_hex

try:
    import fcntl
except ImportError:  # pragma: no cover - Windows
    fcntl = None  # type: ignore[assignment]


def make_directory(path: Path) -> None:
    """Makes a directory, and the missing ones above it, for the user alone."""
    for parent in [*reversed(path.parents), path]:
        with suppress(FileExistsError):
            if not parent.is_dir():
                parent.mkdir(mode=0o700)


def temporary_beside(path: str) -> str:
    """A name for a file that will take the place of `path`, in the same directory."""
    return f"{path}.new-{token_hex(6)}"


def make_private(path: str) -> None:
    """Makes an empty file for the user alone; it must not exist."""
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))


def replace_file(path: str, content: bytes) -> None:
    """`path` holds the old or the new content at every moment, and the new one durably at the end."""
    temporary = temporary_beside(path)
    try:
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise
    sync_directory(os.path.dirname(path) or ".")


def sync_file(path: str) -> None:
    """Makes the content of a file durable."""
    descriptor = os.open(path, os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_directory(path: str) -> None:
    """Makes the names in a directory durable, where the system can."""
    if os.name == "nt":  # pragma: no cover
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def alone_in(directory: str) -> Iterator[None]:
    """Nobody else who asks for the same directory is inside at the same time, where the system has such locks."""
    if fcntl is None:  # pragma: no cover - Windows
        yield
        return
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
