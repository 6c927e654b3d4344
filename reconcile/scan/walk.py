"""The walk: every entry below a directory in byte order of its key, on directory handles.

Each directory is read whole, its names are sorted, and each name is looked at through the handle of its directory: no
path is resolved twice, none can be too long, and nobody can swap a directory above us for a link. The stack is our
own, so depth has no limit.

What cannot be read becomes a Problem and the walk goes on. Only `ENOENT`, asked of an open directory, is absence.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, field
import errno
import os
import stat
from typing import Final, Literal, cast

from reconcile.core.entry import Cover, Entry, Kind, Problem, Version
from reconcile.core.errors import StoreError
from reconcile.core.path import CONTROL_DIR, has_control, is_control_area
from reconcile.ports import Selection
from reconcile.scan.descent import Descent, Level
from reconcile.scan.entries import OWNER_EXECUTES, entry_of
from reconcile.scan.filters import Filter, Rules
from reconcile.scan.hashing import read_ignore_file
from reconcile.scan.links import resolved
from reconcile.scan.names import sorted_names
from reconcile.scan.system import REAL, Calls, told

SPILL_NAMES: Final = 200_000
"""A directory with more names than this is sorted outside memory."""

Symlinks = Literal["skip", "follow"]
"""Whether a link is an entry of its own, or stands for what it leads to inside the root."""

_TYPE: Final = 0o170000
_REGULAR: Final = stat.S_IFREG

_VERSION_OF: Final = cast("Callable[[tuple[int, int, int, int]], Version]", "%x-%x-%x-%x".__mod__)
"""`core.fingerprint.local_version` in half the time, for the one loop where that shows."""


@dataclass(slots=True)
class Walked:
    """What a walk saw of the disks, complete when it has ended.

    `root` is the root's (device, inode); `mounts` the device of every directory on another device than the one around
    it. Compared with what this machine saw last they tell a lost mount from lost files.
    """

    root: tuple[int, int] = (0, 0)
    mounts: dict[str, int] = field(default_factory=dict)


def walk(
    root: str,
    under: str = "",
    *,
    selection: Selection,
    symlinks: Symlinks = "skip",
    spill_names: int = SPILL_NAMES,
    walked: Walked | None = None,
    calls: Calls = REAL,
) -> Iterator[Entry | Problem]:
    """Everything in scope below `root`, or below its directory `under`, in byte order of the keys.

    Files, links and special files stand under their names; a directory (`name/`) only when nothing in scope was found
    in it. In our own directory `.reconcile`, which is walked only when `under` lies there, everything is in scope.
    A Problem comes before every entry behind what it covers. Sizes are not asked of the selection: a file of
    any size is there. With `symlinks="follow"` a link that leads outside the root, nowhere or in a circle is a Problem.

    Raises `NotFoundError`, `RefusedError` or `DeniedError` when the root itself cannot be entered.
    """
    below = under
    if is_control_area(under):
        selection, below = Filter(Rules()), under[len(CONTROL_DIR) + 1 :]
    if has_control(below):
        return iter(())
    return _Walker(
        root=root,
        under=f"{under}/" if under else "",
        selection=selection,
        follow=symlinks == "follow",
        spill_names=spill_names,
        walked=Walked() if walked is None else walked,
        calls=calls,
    ).run()


@dataclass(slots=True, kw_only=True)
class _Walker:
    """One walk. The loop over a directory's names is written out, for it runs once a file."""

    root: str
    under: str
    selection: Selection
    follow: bool
    spill_names: int
    walked: Walked
    calls: Calls
    descent: Descent = field(init=False)

    def run(self) -> Iterator[Entry | Problem]:
        """Walks from the root until it is left again."""
        with closing(Descent(self.root, self.calls)) as self.descent:
            level: Level | None = self.descent.top
            self.walked.root = self.descent.top.identity
            yield from self._read(self.descent.top)
            while level is not None:
                name = yield from self._files(level)
                if name is not None:
                    yield from self._enter(level, name)
                    level = self.descent.top
                else:
                    level = yield from self._leave(level)

    def _files(self, level: Level) -> Generator[Entry | Problem, None, str | None]:
        """Yields what comes before the level's next directory; returns the name of that, None at the end."""
        look, fd, prefix, file, version_of = self.calls.stat, level.fd, level.prefix, Kind.FILE, _VERSION_OF
        selected = None if self.selection.everything else self.selection.file
        for name in level.names:
            if name[-1] == "/":
                return name[:-1]
            key = prefix + name
            if selected is not None and not selected(key):
                continue
            try:
                seen = look(name, dir_fd=fd, follow_symlinks=False)
            except OSError as error:
                if error.errno != errno.ENOENT:
                    level.empty = False
                    yield Problem(key, told(error), Cover.TREE)
                continue
            level.empty = False
            mode = seen.st_mode
            if mode & _TYPE == _REGULAR:
                size, mtime_ns = seen.st_size, seen.st_mtime_ns
                version = version_of((size, mtime_ns, seen.st_ctime_ns, seen.st_ino))
                yield Entry(key, size, version, mtime_ns, None, file, mode & OWNER_EXECUTES != 0)
            else:
                yield self._other(key, seen)
        return None

    def _leave(self, level: Level) -> Generator[Entry | Problem, None, Level | None]:
        """Comes back to the directory around the level, which is returned; None when the level was the root."""
        if level.empty and level.prefix:
            yield _bare(level)
        try:
            return self.descent.leave()
        except OSError as error:
            yield self._lost(level, error)
            return self.descent.top

    def _enter(self, level: Level, name: str) -> Iterator[Problem]:
        """Goes into a directory of the level, if anything below it could be in scope."""
        key = level.prefix + name
        if not self._in_scope(f"{key}/"):
            return
        try:
            below = self._open(level, name)
        except OSError as error:
            problem = self._not_entered(level, name, error)
            if problem is not None:
                level.empty = False
                yield problem
            return
        level.empty = False
        if below.seen.st_dev != level.seen.st_dev:
            self.walked.mounts[key] = below.seen.st_dev
        yield from self._read(below)

    def _open(self, level: Level, name: str) -> Level:
        try:
            return self.descent.enter(name)
        except OSError:
            if not self.follow or not self._is_link(level, name):
                raise
        return self.descent.enter_link(name, resolved(self.root, level.prefix + name))

    def _is_link(self, level: Level, name: str) -> bool:
        return stat.S_ISLNK(self.calls.stat(name, dir_fd=level.fd, follow_symlinks=False).st_mode)

    def _read(self, level: Level) -> Iterator[Problem]:
        """Takes in the ignore files and the names of the directory just entered."""
        assert level.fd is not None, "a directory is open when it is entered"
        try:
            if self.selection.ignore_files:
                texts = [read_ignore_file(self.calls, level.fd, name) for name in self.selection.ignore_files]
                self.selection.learn(level.key, b"\n".join(texts))
            if self.under.startswith(level.prefix) and self.under != level.prefix:
                level.names = iter([self.under[len(level.prefix) :].partition("/")[0] + "/"])
                level.passage, level.empty = True, False
                return
            level.names, odd = sorted_names(self.calls, level.fd, follow=self.follow, spill_names=self.spill_names)
        except (OSError, StoreError) as error:
            level.empty = False
            yield Problem(level.key, _unread(error), Cover.TREE)
            return
        for name in odd:
            level.empty = False
            if self._in_scope(level.prefix + name):
                key = level.prefix + name.removesuffix("/")
                yield Problem(key, "the name is not UTF-8", Cover.TREE, hint="rename it, or exclude it")

    def _in_scope(self, marked: str) -> bool:
        """Whether the selection wants a file, or anything in a directory (which has a slash at the end)."""
        selection = self.selection
        if selection.everything:
            return True
        return selection.descend(marked[:-1]) if marked[-1] == "/" else selection.file(marked)

    def _not_entered(self, level: Level, name: str, error: OSError) -> Problem | None:
        """What it means that a directory could not be entered: None when its parent, asked again, says it is gone."""
        try:
            seen = self.calls.stat(name, dir_fd=level.fd, follow_symlinks=False)
        except OSError as again:
            if again.errno == errno.ENOENT:
                return None
            error = again
        else:
            if level.passage and stat.S_ISREG(seen.st_mode):
                return None
        return Problem(level.prefix + name, _unread(error), Cover.TREE)

    def _other(self, key: str, seen: os.stat_result) -> Entry | Problem:
        """What stands for a name that is no regular file."""
        if self.follow and stat.S_ISLNK(seen.st_mode):
            try:
                seen = self.calls.stat(f"{self.root}/{resolved(self.root, key)}", follow_symlinks=False)
            except OSError as error:
                return Problem(key, f"the link cannot be followed: {told(error)}", Cover.TREE)
        if stat.S_ISDIR(seen.st_mode):
            return Problem(key, "became a directory while it was looked at", Cover.TREE)
        return entry_of(key, seen)

    def _lost(self, left: Level, error: OSError) -> Problem:
        """The way back is gone: all that would have come after the directory `left` in the one around it is unknown."""
        around = self.descent.top
        around.names = iter(())
        around.empty = False
        until = f"{around.key}0" if around.key else None  # "0" is the character after "/"
        return Problem(left.prefix, _unread(error), Cover.RANGE, until)


def _bare(level: Level) -> Entry:
    seen = entry_of(level.prefix, level.seen)
    return Entry(seen.key, 0, seen.version, seen.mtime_ns, None, Kind.DIRECTORY)


def _unread(error: OSError | StoreError) -> str:
    return f"cannot be read: {told(error) if isinstance(error, OSError) else error}"
