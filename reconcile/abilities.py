"""Floor 1: what some stores can do beside what every `Store` does; who needs it asks by `isinstance`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Protocol, runtime_checkable

from reconcile.core.body import Body, Hashes
from reconcile.core.entry import Digest, Entry, Leftover, Problem, Version
from reconcile.core.inside import Inside
from reconcile.core.record import Record


@runtime_checkable
class Versioned(Protocol):
    """A store that keeps old versions by itself, for rollback."""

    def version_id(self, entry: Entry) -> str:
        """The id under which `entry` stays, whatever becomes of its key; "" where that is not certain."""

    def versions(self, key: str) -> Iterator[tuple[str, Entry]]:
        """All versions of a key with their ids, newest first."""

    def restore(self, key: str, version_id: str, *, expect: Version) -> Entry:
        """Makes an old version the current one; `NotFoundError` when it is no longer kept."""


@runtime_checkable
class Marked(Protocol):
    """A store that keeps the token of a write beside its bytes, so that a lost reply is recognised."""

    def token(self, key: str) -> tuple[Version, str] | None:
        """The version under `key` and the token it was written with ("" for a stranger's); None when absent."""


@runtime_checkable
class Dated(Protocol):
    """A store whose writes tell no version: what they made is known by its size, and by when it came there."""

    def is_settled(self, version: Version) -> bool:
        """Whether whoever writes that key from now on is sure to get another version."""

    def confirmed(self, told: Sequence[tuple[str, Version]]) -> Sequence[Version | Exception | None]:
        """For each key the version it shows, if it is what was told and settled, or None; an error for another size."""


@runtime_checkable
class Naming(Protocol):
    """A store that names some files by what they hold, so that two files may want one name, and refuses some for it."""

    def family(self, key: str) -> str:
        """What files have in common that might come to one name; most are alone."""

    def name_of(self, key: str, head: bytes) -> str:
        """The name that a file gets there, which begins with `head` (64 bytes, or all)."""

    def stands_as(self, entry: Entry) -> str:
        """The name that a listed entry has there."""

    def why_not(self, key: str, read: Callable[[], bytes]) -> str | None:
        """Why it would refuse a file, in words; None when it takes it. `read` gives the content, and is dear."""

    def recall(self, records: Iterable[Record]) -> None:
        """What is remembered here: what still shows a recorded version is not looked into to be listed."""


@runtime_checkable
class Making(Protocol):
    """A store that makes rows or notebooks of what it gets, and gives back other bytes: digests are its to tell."""

    def made_from(self, entry: Entry) -> Digest:
        """The digest of the bytes that made what stands there, if it still is what they made; else another one."""


@runtime_checkable
class Tabular(Making, Protocol):
    """A store of rows (`traits.rows`)."""

    def inside(self, key: str, body: Body | None) -> Inside:
        """What writing `body` under `key` (None: deleting it) would do to columns and rows; changes nothing."""


@runtime_checkable
class Tidy(Protocol):
    """A store whose writes leave something behind when they die, and that can take it away."""

    def leftovers(self) -> Iterator[Leftover | Problem]:
        """Everything begun and not ended; what a living write has under way is among it."""

    def discard(self, key: str, mark: str) -> None:
        """Removes what the write of `key` left half done, if anything; `mark` is what it told, or its token."""


@runtime_checkable
class Doubling(Protocol):
    """A store where a replacement may leave a key standing twice: as what it was, and as what it became."""

    def finish(self, key: str, was: Version, hashes: Hashes) -> None:
        """Ends the replacement of a dead run: removes what still is `was`, if what is to stay holds `hashes`."""


@runtime_checkable
class Probed(Protocol):
    """A store whose service must be asked what it honours: no document tells."""

    def probe(self) -> dict[str, str]:
        """Finds out, by small objects of its own, how each operation honours its expectation (`write`, `delete`, …)."""

    def trust(self, found: Mapping[str, str]) -> None:
        """Takes over what a probe found, now or in an earlier run."""


@runtime_checkable
class Rejecting(Protocol):
    """A store that puts rows aside."""

    def put_aside(self) -> dict[str, tuple[str, int]]:
        """By key: the table of its rows that were put aside, and how many they are."""


@runtime_checkable
class WritesMany(Protocol):
    """A store that makes many small things as cheaply as one (`traits.together`)."""

    def write_many(self, items: Sequence[tuple[str, Body]]) -> Sequence[Entry | None]:
        """`write` for each, where nothing is; None for each of which nothing happened: it is to be written alone."""


@runtime_checkable
class Rooted(Protocol):
    """A store whose listing is empty where its directory is missing, as it is where the first file makes it."""

    def has_root(self) -> bool:
        """Whether the directory is there."""


@runtime_checkable
class Nesting(Protocol):
    """A store of directories, not all of which are its to remove."""

    def lasts(self, directory: str) -> bool:
        """Whether a directory that is there stays when it is empty, and no file can take its place."""
