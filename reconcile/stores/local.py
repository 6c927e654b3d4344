"""A local or mounted directory as a store: written beside and renamed, never outside its root, never half."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
import errno
from functools import cached_property
from hashlib import sha256
import os
from pathlib import Path
import stat
from typing import Final, Self

from msgspec.structs import replace

from reconcile.core.entry import ABSENT, ANY, Entry, Problem, Version
from reconcile.core.errors import ChangedError, RefusedError, StoreError, UsageError
from reconcile.core.fingerprint import GRANULE_NS, changed_ns, local_version
from reconcile.core.path import CONTROL_DIR, is_control_area, is_under
from reconcile.ports import Body, Hashes, Leftover, Traits, Walk
from reconcile.stores.confine import SAFELY, Root, Spot, check_deletable, check_key, check_writable
from reconcile.stores.directories import Directories
from reconcile.stores.disk import UNSUPPORTED, Disk, translated
from reconcile.stores.draft import CHUNK_BYTES, Draft, drafted, temp_name
from reconcile.stores.options import StoreOptions
from reconcile.stores.seen import (
    check_held_still,
    entry_of,
    folds_case,
    is_executable,
    permissions,
    usual_umask,
    version_of,
)
from reconcile.stores.unfinished import unfinished

UNDO_DIR: Final = f"{CONTROL_DIR}/undo"
"""Copies into it are second names of the old file: free, and safe, as files are replaced and never written in place."""

TRAITS: Final = Traits(
    order="bytes",
    tree=True,
    write="create",
    delete="stat",
    copy="create",
    move="create",
    move_atomic=True,
    returns_version=True,
    granule_ns=GRANULE_NS,
    proves=True,
    keeps="link",
    executable=True,
    max_name_bytes=255,
)


class LocalStore:
    """The files below one directory. `walk` is how it lists; without one it can be read and written, not listed.

    Versions are compared by a stat just before each change; creating is atomic. `disk` makes the changes.
    """

    def __init__(self, root: str, *, walk: Walk | None = None, disk: Disk | None = None) -> None:
        self._root = Root(root)
        self._walk = walk
        self._disk = disk or Disk()
        self._directories = Directories(self._root, self._disk)
        # A second name changes a file's change time. So that keeping a file for undo costs nobody its version, another
        # one stands for what it has now, by key: the one it had, or where bytes had to be copied, that of the copy.
        self._stands_for: dict[str, tuple[Version, Version]] = {}
        self._usual_mode = 0o644 & ~usual_umask()
        self.url = Path(self._root.path).as_uri()

    @classmethod
    def open(cls, url: str, options: StoreOptions) -> Self:
        """The store at a path or a `file:` URL."""
        if options.extra:
            raise UsageError(f"takes no option {min(options.extra)!r}", op="open", path=url)
        return cls(local_path(url), walk=options.walk)

    @cached_property
    def traits(self) -> Traits:
        """How names are told apart is asked of the directory, by a look at one of its names."""
        return replace(TRAITS, key="casefold") if folds_case(self._root.path) else TRAITS

    # --- looking

    def list(self, under: str = "", *, after: str | None = None, until: str | None = None) -> Iterator[Entry | Problem]:
        """As the walk gives it; a new listing takes the root as it is now."""
        if under:
            check_key(under, "list")
        if self._walk is None:
            raise UsageError("was opened without a way to list it", op="list", path=self.url)
        self._root.refresh()
        walked = self._walk(under)
        for found in map(_came, walked) if is_control_area(under) else walked:
            if isinstance(found, Entry):
                if until is not None and found.key > until:
                    return
                if after is not None and found.key <= after:
                    continue
            yield found

    def stat(self, key: str) -> Entry | None:
        """Also what is no file is told, by its kind; a symlink on the way is refused."""
        check_key(key, "stat")
        with translated("stat", key):
            try:
                with self._root.spot(key) as spot:
                    seen = spot.stat()
            except (FileNotFoundError, NotADirectoryError):
                return None
        return entry_of(key, seen) if seen else None

    def read(self, key: str, *, version: Version | None = None, span: tuple[int, int] | None = None) -> Iterator[bytes]:
        """`UnstableError` at the end if the file changed while it was read."""
        with translated("read", key), self._opened("read", key, version) as (fd, seen):
            start, end = span or (0, seen.st_size)
            os.lseek(fd, start, os.SEEK_SET)
            while start < end and (chunk := os.read(fd, min(end - start, CHUNK_BYTES))):
                start += len(chunk)
                yield chunk
            check_held_still(fd, seen)

    def prove(self, entry: Entry, hashes: Hashes) -> bool | None:
        """Always proven, by reading."""
        digest = sha256()
        for chunk in self.read(entry.key, version=entry.version):
            digest.update(chunk)
        return digest.digest() == hashes.sha256

    # --- changing

    def write(self, key: str, body: Body, *, expect: Version) -> Entry:
        """An update keeps who may read and write the file."""
        check_writable(key, "write")
        if body.begun is not None:
            body.begun(body.token)
        with translated("write", key), self._drafted(key, body.token) as draft:
            draft.fill(body)
            return self._publish(draft, key, expect, executable=body.executable)

    def copy(self, entry: Entry, key: str, *, expect: Version) -> Entry:
        """Bytes of its own, but for copies kept for undo: those are a second name."""
        check_writable(key, "copy")
        with translated("copy", key):
            kept = is_under(key, UNDO_DIR)
            linked = self._link(entry, key, expect) if kept else None
            if linked is not None:
                return linked
            with (
                self._opened("copy", entry.key, entry.version) as (fd, seen),
                self._drafted(key) as draft,
            ):
                draft.fill_from(fd, seen.st_size)
                check_held_still(fd, seen)
                copy = self._publish(draft, key, expect, executable=is_executable(seen))
            if kept:
                self._stands_for[entry.key] = (copy.version, version_of(seen))
            return copy

    def move(self, entry: Entry, key: str, *, expect: Version) -> Entry:
        """One rename."""
        check_writable(key, "move")
        check_writable(entry.key, "move")
        with translated("move", key), self._directories.lock, ExitStack() as open_spots:
            old = open_spots.enter_context(self._root.spot(entry.key))
            seen = self._check("move", entry.key, old, entry.version)
            new = open_spots.enter_context(self._directories.place(key))
            self._rename("move", old, new, key, expect)
            self._disk.sync_directory(new)
            self._stands_for.pop(entry.key, None)
            self._directories.leave(entry.key)
            ctime_ns = (new.stat() or seen).st_ctime_ns
            version = local_version(seen.st_size, seen.st_mtime_ns, ctime_ns, seen.st_ino)
            return replace(entry_of(key, seen), version=version)

    def delete(self, items: Sequence[tuple[str, Version]]) -> Sequence[Exception | None]:
        """Each by a stat and an unlink; then the directories are put on the disk, each once."""
        answers = [self._delete(key, expect) for key, expect in items]
        left: dict[str, Exception | None] = {}
        for at, (key, _) in enumerate(items):
            if answers[at] is None:
                directory = key.rpartition("/")[0]
                if directory not in left:
                    left[directory] = self._leave(key)
                answers[at] = left[directory]
        return answers

    def lasts(self, directory: str) -> bool:
        """Those that we did not make."""
        return self._directories.lasts(directory)

    def leftovers(self) -> Iterator[Leftover | Problem]:
        """The temporary files, wherever they are."""
        return unfinished(self._root)

    def discard(self, key: str, mark: str) -> None:
        """The temporary file of that write."""
        directory, slash, _ = key.rpartition("/")
        [error] = self.delete([(f"{directory}{slash}{temp_name(mark)}", ANY)])
        if error is not None:
            raise error

    def ensure(self, *, dry: bool = False) -> Sequence[str]:
        """Makes the directory and those above it; `RefusedError` when something else stands in its place."""
        path = Path(self._root.path)
        if path.is_dir():
            return []
        above = next((each for each in (path, *path.parents) if os.path.lexists(each)), path)
        if above.is_symlink() and not above.exists():
            raise RefusedError("is a link that leads nowhere", op="open", path=str(above))
        if above.exists() and not above.is_dir():
            raise RefusedError("is not a directory", op="open", path=str(above))
        if not dry:
            with translated("ensure", str(path)):
                self._make_root(path)
        return [f"directory {path}"]

    def _make_root(self, path: Path) -> None:
        """A record may outlive the power: so must the directory that holds what it names."""
        for directory in reversed([each for each in (path, *path.parents) if not each.is_dir()]):
            spot = Spot(None, str(directory))
            with suppress(FileExistsError):
                self._disk.mkdir(spot, 0o755)
            self._disk.sync_directory(spot)

    def close(self) -> None:
        """Gives back the handles."""
        self._root.close()

    # --- one file

    @contextmanager
    def _opened(self, op: str, key: str, version: Version | None) -> Iterator[tuple[int, os.stat_result]]:
        """A file open for reading, still at `version`, and what was seen of it. Never waits for a FIFO's other end."""
        check_key(key, op)
        with self._root.spot(key) as spot:
            fd = os.open(spot.name, os.O_RDONLY | SAFELY, dir_fd=spot.fd)
        try:
            seen = os.fstat(fd)
            if not stat.S_ISREG(seen.st_mode):
                raise RefusedError("is not a file", op=op, path=key)
            if version not in (None, ANY) and not self._is_at(key, version, seen):
                raise ChangedError("was changed since it was looked at", op=op, path=key)
            yield fd, seen
        finally:
            os.close(fd)

    def _is_at(self, key: str, version: Version, seen: os.stat_result) -> bool:
        found = version_of(seen)
        return found == version or self._stands_for.get(key) == (version, found)

    def _check(self, op: str, key: str, spot: Spot, expect: Version) -> os.stat_result:
        """What is there, if it is the file that is expected."""
        seen = spot.stat()
        if seen is None:
            raise ChangedError("is gone", op=op, path=key)
        if not stat.S_ISREG(seen.st_mode) or not self._is_at(key, expect, seen):
            raise ChangedError("is not what was expected there", op=op, path=key)
        return seen

    @contextmanager
    def _drafted(self, key: str, token: str = "") -> Iterator[Draft]:
        with ExitStack() as steps:
            with self._directories.lock:
                final = steps.enter_context(self._directories.place(key))
                draft = steps.enter_context(drafted(self._disk, final, token))
            yield draft

    def _publish(self, draft: Draft, key: str, expect: Version, *, executable: bool) -> Entry:
        usual = 0o600 if is_under(key, CONTROL_DIR) else self._usual_mode
        draft.seal(permissions(draft.final.stat(), usual, executable=executable))
        if expect not in (ABSENT, ANY):
            self._check("write", key, draft.final, expect)
        entry = draft.publish(key, replace=expect != ABSENT)
        self._stands_for.pop(key, None)
        return entry

    def _link(self, entry: Entry, key: str, expect: Version) -> Entry | None:
        """A second name for a file; None where the file system has no such thing."""
        with self._directories.lock, self._root.spot(entry.key) as old, self._directories.place(key) as new:
            seen = self._check("copy", entry.key, old, entry.version)
            if expect == ABSENT and new.stat() is not None:  # a link in vain would change the times of the live file
                raise ChangedError("something is there", op="copy", path=key)
            temp = new.named(temp_name())
            try:
                self._disk.link(old, temp)
            except OSError as error:
                if error.errno in UNSUPPORTED:
                    return None
                raise
            try:
                linked = temp.stat()
                if linked is None or _content_marks(linked) != _content_marks(seen):
                    raise ChangedError("was changed while it was copied", op="copy", path=entry.key)
                self._rename("copy", temp, new, key, expect)
            finally:
                self._disk.unlink(temp)
            self._disk.sync_directory(new)
            linked = new.stat() or linked
            self._stands_for[entry.key] = (entry.version, version_of(linked))
            return entry_of(key, linked)

    def _rename(self, op: str, old: Spot, new: Spot, key: str, expect: Version) -> None:
        if expect not in (ABSENT, ANY):
            self._check(op, key, new, expect)
        if old.leads_where(new):
            self._rename_same(old, new, expect)
        elif expect == ABSENT:
            self._disk.rename_new(old, new)
        else:
            self._disk.rename(old, new)

    def _rename_same(self, old: Spot, new: Spot, expect: Version) -> None:
        """Both lead to one file: they are two spellings of one name, or two names (whose renaming does nothing)."""
        if expect == ABSENT and new.is_listed() and not new.is_same(old):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), new.name)
        self._disk.rename(old, new)
        if old.is_listed() and new.is_listed() and not old.is_same(new):
            self._disk.unlink(old)

    def _delete(self, key: str, expect: Version) -> Exception | None:
        try:
            check_deletable(key)
            with translated("delete", key):
                try:
                    with self._root.spot(key) as spot:
                        if spot.stat() is not None:
                            if expect != ANY:
                                self._check("delete", key, spot, expect)
                            self._disk.unlink(spot)
                except (FileNotFoundError, NotADirectoryError):
                    pass  # so it is not there either
        except StoreError as error:
            return error
        self._stands_for.pop(key, None)
        return None

    def _leave(self, key: str) -> Exception | None:
        try:
            with translated("delete", key):
                self._directories.leave(key)
        except StoreError as error:
            return error
        return None


def _came(found: Entry | Problem) -> Entry | Problem:
    """An entry of our own directory with the time it came to its name: a rename and a link change the change time."""
    return replace(found, mtime_ns=changed_ns(found.version)) if isinstance(found, Entry) else found


def _content_marks(seen: os.stat_result) -> tuple[int, int, int]:
    """What of a stat changes with the content, but not with another name."""
    return seen.st_ino, seen.st_size, seen.st_mtime_ns


def local_path(url: str) -> str:
    """The path of a `file:` URL; a path is itself."""
    if not url.startswith("file:"):
        return url
    from urllib.parse import urlsplit  # noqa: PLC0415 - 20 ms, for a rare form
    from urllib.request import url2pathname  # noqa: PLC0415

    parts = urlsplit(url)
    if parts.netloc not in ("", "localhost"):
        raise UsageError("names another machine", op="open", path=url, hint="file:///path has three slashes")
    return url2pathname(parts.path)
