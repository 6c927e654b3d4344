"""Every call that changes a disk, in one place: here systems differ, and here tests let each of them fail."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
import errno
from functools import cache
import os
import sys
from typing import Final

from reconcile.core.errors import ChangedError, DeniedError, NotFoundError, RefusedError, StoreError
from reconcile.ports import io_step
from reconcile.stores.confine import HAS_HANDLES, SAFELY, Spot

_RENAME_NOREPLACE: Final = 1
UNSUPPORTED: Final = frozenset({errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM, errno.EMLINK, errno.EXDEV})
"""What a call answers where the file system, or the system, has no such call."""


class Disk:
    """The changes a local store makes; each raises OSError."""

    @io_step("disk.create")
    def create(self, spot: Spot) -> int:
        """A new file, open for writing, readable by its owner alone; FileExistsError if the name is taken."""
        return os.open(spot.name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | SAFELY, 0o600, dir_fd=spot.fd)

    @io_step("disk.extend")
    def extend(self, spot: Spot) -> int:
        """A file, made where it is missing, open for writing at its end."""
        return os.open(spot.name, os.O_WRONLY | os.O_CREAT | os.O_APPEND | SAFELY, 0o600, dir_fd=spot.fd)

    @io_step("disk.write")
    def write(self, fd: int, chunk: bytes) -> None:
        """All of the chunk."""
        left = memoryview(chunk)
        while left:
            left = left[os.write(fd, left) :]

    @io_step("disk.clone")
    def clone(self, source: int, target: int, size_bytes: int) -> int:
        """Copies inside the system, sharing blocks where it can; returns how many bytes, perhaps none."""
        done = 0
        with suppress(OSError, AttributeError):
            while done < size_bytes and (count := os.copy_file_range(source, target, size_bytes - done)):
                done += count
        return done

    @io_step("disk.sync")
    def sync(self, fd: int) -> None:
        """Returns when the file is on the disk."""
        os.fsync(fd)

    @io_step("disk.sync_directory")
    def sync_directory(self, spot: Spot) -> None:
        """Returns when the names in the directory of `spot` are on the disk."""
        if spot.fd is not None:
            os.fsync(spot.fd)
        elif HAS_HANDLES:
            fd = os.open(str(spot.directory) or "/", os.O_RDONLY | os.O_DIRECTORY | SAFELY)
            try:
                os.fsync(fd)
            finally:
                os.close(fd)

    @io_step("disk.chmod")
    def chmod(self, fd: int, mode: int) -> None:
        """Sets the permissions of an open file, where there are any."""
        if hasattr(os, "fchmod"):
            os.fchmod(fd, mode)

    @io_step("disk.rename")
    def rename(self, old: Spot, new: Spot) -> None:
        """Renames, replacing what is at `new`."""
        os.replace(old.name, new.name, src_dir_fd=old.fd, dst_dir_fd=new.fd)

    @io_step("disk.rename_new")
    def rename_new(self, old: Spot, new: Spot) -> None:
        """Renames unless there is something at `new`: FileExistsError. In one step wherever the system can."""
        for way in (_rename_noreplace, _link_and_unlink):
            try:
                return way(old, new)
            except OSError as error:
                if error.errno not in UNSUPPORTED:
                    raise
        if new.stat() is not None:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), new.name)
        return self.rename(old, new)

    @io_step("disk.link")
    def link(self, old: Spot, new: Spot) -> None:
        """A second name of one file; FileExistsError if the name is taken."""
        os.link(old.name, new.name, src_dir_fd=old.fd, dst_dir_fd=new.fd, follow_symlinks=False)

    @io_step("disk.unlink")
    def unlink(self, spot: Spot) -> None:
        """Takes a name away; silent if it is gone."""
        with suppress(FileNotFoundError):
            os.unlink(spot.name, dir_fd=spot.fd)

    @io_step("disk.mkdir")
    def mkdir(self, spot: Spot, mode: int) -> None:
        """Makes a directory; FileExistsError if the name is taken."""
        os.mkdir(spot.name, mode, dir_fd=spot.fd)

    @io_step("disk.rmdir")
    def rmdir(self, spot: Spot) -> None:
        """Removes an empty directory; OSError if it is not one."""
        os.rmdir(spot.name, dir_fd=spot.fd)


@cache
def _renameat2() -> Callable[..., int] | None:
    """The system's call, where it has it."""
    if sys.platform != "linux":
        return None
    import ctypes  # noqa: PLC0415 - only who writes pays for it

    try:
        call: Callable[..., int] = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):
        return None
    return call


def _rename_noreplace(old: Spot, new: Spot) -> None:
    call = _renameat2()
    if call is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    import ctypes  # noqa: PLC0415 - loaded by the line above

    if call(old.fd, os.fsencode(old.name), new.fd, os.fsencode(new.name), _RENAME_NOREPLACE) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), new.name)


def _link_and_unlink(old: Spot, new: Spot) -> None:
    os.link(old.name, new.name, src_dir_fd=old.fd, dst_dir_fd=new.fd, follow_symlinks=False)
    os.unlink(old.name, dir_fd=old.fd)


_KINDS: Final[dict[int, tuple[type[StoreError], str]]] = {
    errno.ENOENT: (NotFoundError, ""),
    errno.EEXIST: (ChangedError, ""),
    errno.ENOTEMPTY: (ChangedError, ""),
    errno.EISDIR: (ChangedError, ""),
    errno.ENOTDIR: (ChangedError, ""),
    errno.EACCES: (DeniedError, "look at the permissions and the owner"),
    errno.EPERM: (DeniedError, "look at the permissions and the owner"),
    errno.EROFS: (DeniedError, "the file system is mounted read-only"),
    errno.ENAMETOOLONG: (RefusedError, ""),
    errno.EILSEQ: (RefusedError, ""),
    errno.EINVAL: (RefusedError, ""),
    errno.ELOOP: (RefusedError, "symlinks in a target are not followed"),
    errno.EFBIG: (RefusedError, ""),
    errno.ENOSPC: (StoreError, "make room on this disk; nothing that was there is lost"),
    errno.EDQUOT: (StoreError, "make room within the quota; nothing that was there is lost"),
}


@contextmanager
def translated(op: str, key: str) -> Iterator[None]:
    """Errors of the system become errors of the store; how far a change had come by then they do not say."""
    try:
        yield
    except OSError as error:
        kind, hint = _KINDS.get(error.errno or 0, (StoreError, ""))
        raised = kind(error.strerror or str(error), op=op, path=key, hint=hint)
        raised.unsure = True
        raise raised from error
