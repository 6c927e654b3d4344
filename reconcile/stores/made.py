"""Which directories of a local target are ours: those, and only those, go when they become empty."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
import os
from typing import Final

from reconcile.core.errors import StoreError
from reconcile.core.path import CONTROL_DIR
from reconcile.stores.confine import SAFELY, Make, Root
from reconcile.stores.disk import Disk

MADE_FILE: Final = f"{CONTROL_DIR}/dirs"
"""`+directory` before we make one, `~directory` if we then did not, `-directory` when it is removed, each ended by NUL;
appended, never rewritten. Ours is what more runs said they make than said they did not, since it was removed last."""

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
        self._claims: Counter[str] | None = None
        self._cut_off = False

    def __contains__(self, directory: str) -> bool:
        return self._known()[directory] > 0

    def add(self, directory: str) -> None:
        """We are about to make it."""
        self._known()[directory] += 1
        self._note("+", directory)

    def take_back(self, directory: str) -> None:
        """We did not make it. Another run of ours may have, and noted it since we looked."""
        self._note("~", directory)
        self._claims = None

    def discard(self, directory: str) -> None:
        """We removed it."""
        self._known()[directory] = 0
        self._note("-", directory)

    def _known(self) -> Counter[str]:
        if self._claims is None:
            self._claims = Counter()
            *notes, rest = self._read().split("\0")
            self._cut_off = bool(rest)
            for note in notes:
                claims = self._claims[note[1:]]
                self._claims[note[1:]] = claims + 1 if note[:1] == "+" else max(0, claims - 1) if note[:1] == "~" else 0
        return self._claims

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
