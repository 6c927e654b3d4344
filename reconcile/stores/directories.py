"""Directories come with their first file and go with their last, if we made them: all of `.reconcile` we did."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import takewhile
from threading import RLock

from reconcile.core.errors import StoreError
from reconcile.core.path import is_control_area, parents
from reconcile.stores.confine import Root, Spot
from reconcile.stores.disk import Disk
from reconcile.stores.made import Made


class Directories:
    """The directories below one root. `lock` is held while one is made and its first file put into it, or removed."""

    def __init__(self, root: Root, disk: Disk) -> None:
        self.lock = RLock()
        self._root = root
        self._disk = disk
        self._made = Made(root, disk, self._make)

    @contextmanager
    def place(self, key: str) -> Iterator[Spot]:
        """The place of a key, its directories made; if what is done there fails, they go again."""
        with self._root.spot(key, make=self._make) as spot:
            self._clear(key, spot)
            try:
                yield spot
            except BaseException:
                with suppress(OSError, StoreError):
                    self.leave(key)
                raise

    def lasts(self, directory: str) -> bool:
        """Whether a directory stays when it is empty: somebody else made it."""
        with self.lock:
            return directory not in self._made and not is_control_area(directory)

    def _clear(self, key: str, spot: Spot) -> None:
        """A directory that a dead run of ours made, and left empty, stands in no file's way."""
        with self.lock:
            if key in self._made and self._remove(key):
                self._disk.sync_directory(spot)
                self._made.discard(key)

    def leave(self, key: str) -> None:
        """After a name left the directory of `key`: removes what is empty and ours, puts the change on the disk.

        A directory is ours until its end has come to the disk: one that came back with the power must not stay.
        """
        with self.lock:
            removed = self._tidy(key)
            with suppress(FileNotFoundError, NotADirectoryError), self._root.spot([key, *removed][-1]) as spot:
                self._disk.sync_directory(spot)
            for directory in removed:
                if directory in self._made:
                    self._made.discard(directory)

    def _tidy(self, key: str) -> list[str]:
        """Removes directories of `key` that are empty and ours; returns their keys, the uppermost last."""
        return list(takewhile(self._remove, reversed(parents(key))))

    def _remove(self, directory: str) -> bool:
        with self.lock:
            if self.lasts(directory):
                return False
            try:
                with self._root.spot(directory) as spot:
                    self._disk.rmdir(spot)
            except OSError:  # most often: it is not empty
                return False
            return True

    def _make(self, spot: Spot, directory: str) -> None:
        """It is noted before it is made: one that is empty and in no note would stand in a file's way for ever."""
        ours_alone = is_control_area(directory)
        if not ours_alone:
            self._made.add(directory)
        try:
            self._disk.mkdir(spot, 0o700 if ours_alone else 0o755)
        except OSError as error:
            if not ours_alone and (isinstance(error, FileExistsError) or spot.stat() is None):
                self._made.take_back(directory)
            if not isinstance(error, FileExistsError):  # else somebody made it at the same moment
                raise
        else:
            self._disk.sync_directory(spot)
