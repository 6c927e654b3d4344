"""Which directories of a local target are ours: those, and only those, go when they become empty."""

from __future__ import annotations

from contextlib import suppress
import os
from typing import Final

from reconcile.core.errors import StoreError
from reconcile.core.path import CONTROL_DIR
from reconcile.stores.confine import SAFELY, Make, Root
from reconcile.stores.disk import Disk

MADE_FILE: Final = f"{CONTROL_DIR}/dirs"
"""`+directory` when we make one, `-directory` when it is removed, each ended by NUL; appended, never rewritten."""

_VOID: Final = "/\0"
"""Ends a note that was cut off: no directory's key ends in a slash."""


class Made:
    """The keys of the directories we made. Not for many threads at once: the store holds its lock around every call.

    What cannot be noted is taken for somebody else's: at worst an empty directory stays.
    """

    def __init__(self, root: Root, disk: Disk, make: Make) -> None:
        self._root = root
        self._disk = disk
        self._make = make
        self._keys: set[str] | None = None
        self._cut_off = False

    def __contains__(self, directory: str) -> bool:
        return directory in self._known()

    def add(self, directory: str) -> None:
        """We make it."""
        self._known().add(directory)
        self._note("+", directory)

    def discard(self, directory: str) -> None:
        """We removed it."""
        self._known().discard(directory)
        self._note("-", directory)

    def _known(self) -> set[str]:
        if self._keys is None:
            self._keys = set()
            *notes, rest = self._read().split("\0")
            self._cut_off = bool(rest)
            for note in notes:
                (self._keys.add if note[:1] == "+" else self._keys.discard)(note[1:])
        return self._keys

    def _read(self) -> str:
        with suppress(OSError, StoreError), self._root.spot(MADE_FILE) as spot:
            fd = os.open(spot.name, os.O_RDONLY | SAFELY, dir_fd=spot.fd)
            with open(fd, "rb") as file:  # noqa: PTH123 - a descriptor
                return file.read().decode("utf-8", "replace")
        return ""

    def _note(self, sign: str, directory: str) -> None:
        with suppress(OSError, StoreError), self._root.spot(MADE_FILE, make=self._make) as spot:
            first = spot.stat() is None
            void, self._cut_off = _VOID if self._cut_off else "", True
            fd = self._disk.extend(spot)
            try:
                self._disk.write(fd, f"{void}{sign}{directory}\0".encode())
                self._disk.sync(fd)
            finally:
                os.close(fd)
            self._cut_off = False
            if first:
                self._disk.sync_directory(spot)
