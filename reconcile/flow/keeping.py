"""What a run is about to overwrite or delete is kept first, where the policy `keep` and the store let it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from secrets import token_hex
from typing import Final, TypeVar

from msgspec.structs import replace

from reconcile.abilities import Versioned
from reconcile.core.change import QUIET, Change
from reconcile.core.entry import ABSENT, Entry, Version
from reconcile.core.errors import ChangedError, StoreError
from reconcile.core.path import undo_key
from reconcile.flow.wired import Wired
from reconcile.ports import Body

T = TypeVar("T")
Take = Callable[..., Entry]
"""`Store.copy` or `Store.move`."""

VERSION_ID: Final = "?versionId="
"""Between a key and the id of the version that the store itself keeps of it."""


class Keeping:
    """Keeps the old bytes of one mapping in one run. Thread-safe."""

    def __init__(self, wired: Wired, run: int) -> None:
        self._wired = wired
        self._run = run
        self._copies: dict[int, str] = {}  # by change under way: where its old bytes lie by now

    def allows(self, change: Change) -> bool:
        """Whether old bytes may go: where they must be kept always, only if they can be."""
        takes = change.expect != ABSENT and change.action not in QUIET
        return not takes or self._wired.keeps or self._wired.policy.keep != "always"

    def keep(self, change: Change) -> tuple[str, Version]:
        """Keeps what is about to be overwritten; returns where, and the version to expect from now on.

        A hard link changes the times of what it links to: then the kept name's version is the live one's as well. What
        is moved is there no more; if nothing takes its place it is for `giving_back`.
        """
        target = self._wired.target
        if change.expect == ABSENT or not self._wired.keeps:
            return "", change.expect
        there = Entry(change.key, change.was_size, change.expect)
        if target.traits.keeps == "versions" and isinstance(target, Versioned) and (found := target.version_id(there)):
            return f"{change.key}{VERSION_ID}{found}", change.expect
        if self._is_too_long(change.key):
            return "", change.expect
        if target.traits.keeps == "move":
            return self.put_aside(target.move, there, undo_key).key, ABSENT
        kept = self.put_aside(target.copy, there, undo_key)
        self._copies[change.id] = kept.key
        return kept.key, kept.version if target.traits.keeps == "link" else change.expect

    def write(self, change: Change, body: Body) -> tuple[str, Entry]:
        """Where the old bytes are kept, and what was written in their place."""
        target = self._wired.target
        may_keep = change.expect != ABSENT and self._wired.keeps and not self._is_too_long(change.key)
        if target.traits.keeps != "move" or not may_keep:
            kept, expect = self.keep(change)
            return kept, target.write(change.key, body, expect=expect)

        def written(aside: str) -> tuple[str, Entry]:
            return aside, target.write(change.key, replace(body, aside=aside), expect=change.expect)

        return self._under_a_free_name(written, undo_key, change.key)

    def copy_of(self, change: Change) -> str:
        """Where a copy of the old bytes lies, though the change itself came to nothing; asked once, at its end."""
        return self._copies.pop(change.id, "")

    @contextmanager
    def giving_back(self, change: Change, kept: str) -> Iterator[None]:
        """Around what takes the place of something that was kept by moving it: if that fails, the old comes back."""
        try:
            yield
        except StoreError:
            target = self._wired.target
            if kept and target.traits.keeps == "move":
                with suppress(StoreError):  # what failed first is the error; what is kept is found where it is
                    there = target.stat(kept)
                    if there is not None:
                        target.move(there, change.key, expect=ABSENT)
            raise

    def put_aside(self, take: Take, there: Entry, name: Callable[..., str]) -> Entry:
        """Copies or moves `there` where `name` says."""
        return self._under_a_free_name(lambda key: take(there, key, expect=ABSENT), name, there.key)

    def _under_a_free_name(self, act: Callable[[str], T], name: Callable[..., str], key: str) -> T:
        """`act` with the name for `key` in this run, never over anything: another state counts its runs from 1 too."""
        try:
            return act(name(self._run, key))
        except ChangedError as taken:  # or `key` itself changed: then this fails as well
            try:
                return act(name(self._run, key, token_hex(4)))
            except StoreError as error:
                error.unsure |= taken.unsure  # the first may have been done, and told what its own work looks like
                raise

    def _is_too_long(self, key: str) -> bool:
        """Whether a key fits into the store, but the name of its kept copy would not; `always` tries, and fails.

        Where a kept copy is a link, the store names it as it can.
        """
        traits = self._wired.target.traits
        most_bytes = traits.max_key_bytes if traits.keeps != "link" else 0
        name = undo_key(self._run, key, token_hex(4)).encode(errors="surrogateescape")
        return bool(most_bytes) and len(name) > most_bytes and self._wired.policy.keep == "auto"
