"""Floor 1: every seam of the house, as small protocols. Adapters (floor 2) implement them, flow (floor 4) uses them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import wraps
from typing import Any, Final, ParamSpec, Protocol, TypeVar, runtime_checkable

from msgspec import Struct

from reconcile.core.body import Body, Hashes
from reconcile.core.entry import Digest, Entry, Leftover, Problem, Version
from reconcile.core.journal import Fold, Holder, Intent, Past
from reconcile.core.outcome import Outcome, Run
from reconcile.core.record import Record, Scope
from reconcile.core.traits import Condition, Traits

__all__ = ["Body", "Condition", "Fold", "Hashes", "Holder", "Intent", "Leftover", "Outcome", "Past", "Run", "Traits"]

P = ParamSpec("P")
R = TypeVar("R")
Hook = Callable[[str, tuple[Any, ...], bool], None]
"""`hook(step, told, done)` hears an I/O step (`disk.rename`, with its arguments) just before it is taken, and just
after, then `done`. What it raises is what the step raises: before, it was never taken; after, its reply is lost."""

HOOKS: Final[list[Hook]] = []
"""Who hears the I/O steps of this process: nobody, but in tests, which count them, fail them and die at them."""


def io_step(step: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Marks a function as one I/O step of apply, recovery or a commit of the state; free while nobody hears."""

    def marked(act: Callable[P, R]) -> Callable[P, R]:
        @wraps(act)
        def passing(*args: P.args, **kwargs: P.kwargs) -> R:
            if not HOOKS:
                return act(*args, **kwargs)
            for hook in HOOKS:
                hook(step, args, False)
            result = act(*args, **kwargs)
            for hook in HOOKS:
                hook(step, args, True)
            return result

        return passing

    return marked


class Store(Protocol):
    """One container and prefix; keys are relative to it. A directory, a bucket prefix, a volume, a set of tables.

    Errors are those of `core.errors`, translated at the adapter's border. No retry loop, no printing, no policy inside.
    """

    @property
    def url(self) -> str:
        """The canonical URL: scheme, account or endpoint, container and prefix; never a secret."""

    @property
    def traits(self) -> Traits:
        """What this store can do; may gain `order: bytes` while it is listed."""

    def list(self, under: str = "", *, after: str | None = None, until: str | None = None) -> Iterator[Entry | Problem]:
        """Everything below the directory `under` (with keys from the root), in `(after, until]`.

        Recursive; raises or reports a `Problem`, never ends early. Control names (`.reconcile`, temporary names) are
        left out. A missing container raises `NotFoundError`. Our own directory `.reconcile` is listed when `under` is
        it, or lies in it; `mtime_ns` is then when an entry came to its name, by the store's clock.
        """

    def stat(self, key: str) -> Entry | None:
        """The entry under `key`, None when its absence is certain; raises when it is not."""

    def read(self, key: str, *, version: Version | None = None, span: tuple[int, int] | None = None) -> Iterator[bytes]:
        """The content in chunks; of that very version if given, else `ChangedError`. `span`: (start, end) bytes."""

    def write(self, key: str, body: Body, *, expect: Version) -> Entry:
        """Publishes the whole body under `key`, or nothing; makes parents. `ChangedError` if `expect` does not hold.

        The returned entry's version was told or read by the store after the write, and its bytes were verified by what
        the store answers (size, checksum, etag); `DamagedError` if they differ.
        """

    def copy(self, entry: Entry, key: str, *, expect: Version) -> Entry:
        """Copies inside the store, the source being still `entry.version` and the target as expected."""

    def move(self, entry: Entry, key: str, *, expect: Version) -> Entry:
        """As `copy`, and the old name goes."""

    def delete(self, items: Sequence[tuple[str, Version]]) -> Sequence[Exception | None]:
        """Deletes each key that still has its version; None, or the error, for each in turn. Absent counts as done."""

    def prove(self, entry: Entry, hashes: Hashes) -> bool | None:
        """Whether `entry` holds the content of `hashes`: True or False when proven, None when only reading tells."""

    def ensure(self, *, dry: bool = False) -> Sequence[str]:
        """Makes the container where it is missing; returns, in words, what was (`dry`: would be) made."""

    def close(self) -> None:
        """Gives back connections and handles."""


@runtime_checkable
class Fingerprints(Protocol):
    """Digests of local files this machine has already read, by version; disposable."""

    def digest(self, key: str, version: Version) -> Digest | None:
        """The digest of `key` at exactly this version, if it is known."""

    def remember(self, key: str, version: Version, digest: Digest) -> None:
        """Keeps a digest; a version too fresh to be told apart from a later edit is the caller's to leave out."""

    def cursor(self) -> Iterator[tuple[str, str, bytes]]:
        """All of it as (key, version, digest), sorted by key."""


class Cache(Protocol):
    """The disposable memory of this machine: fingerprints, validated specs, probe results, root identities."""

    def fingerprints(self, root: str) -> Fingerprints:
        """The fingerprints of one store root."""

    def get(self, name: str) -> bytes | None:
        """A remembered value."""

    def put(self, name: str, value: bytes) -> None:
        """Remembers a value."""

    def flush(self) -> None:
        """Writes what is pending; a failure is silent, it costs only time."""

    def close(self) -> None:
        """Flushes and closes."""


class Lease(Protocol):
    """The right to write: one holder at a time. `fence` grows with every holder and guards every commit."""

    @property
    def fence(self) -> int:
        """The fencing number of this holder."""

    @property
    def holder(self) -> Holder:
        """Us."""

    def renew(self, *, run: int = 0, done: float = 0.0) -> None:
        """Says that we live, and how far we are (0 to 1); `FencedError` when the lease is no longer ours."""

    def release(self) -> None:
        """Gives it back; silent when it is no longer ours."""


class Journal(Protocol):
    """Intents and outcomes of runs. Thread-safe: `intend` may be called by every worker at once (group commit)."""

    def intend(self, intents: Sequence[Intent]) -> None:
        """Returns when all are durable."""

    def open_intents(self) -> list[Intent]:
        """Intents of runs that neither folded nor dropped them."""


class StateStore(Protocol):
    """Records, runs and scopes of one state file; every commit is checked against the lease's fence."""

    @property
    def lineage(self) -> str:
        """The family of this state: 32 hexadecimal digits, made once."""

    @property
    def journal(self) -> Journal:
        """The journal of this state."""

    def serial(self, scope: str) -> int:
        """How many commits changed this scope; 0 for an unknown one."""

    def scopes(self) -> list[tuple[Scope, int, int]]:
        """Every scope that has records or ever had a run: (scope, serial, number of records)."""

    def completed(self, scope: str) -> bool:
        """Whether a run ever finished this scope with nothing left."""

    def records(self, scope: str) -> Iterator[Record]:
        """All records in order of their keys; `CorruptStateError` on a bad row, or at the end on a bad sum."""

    def record(self, scope: str, key: str) -> Record | None:
        """One record."""

    def bounds(self, scope: str, parts: int) -> list[str]:
        """Keys that cut the records into about equal parts; none when there are too few for it to pay."""

    def open_scope(self, scope: Scope, lease: Lease) -> None:
        """Makes a scope known; one that is costs no commit."""

    def begin(self, run: Run, lease: Lease) -> int:
        """Starts a run and returns its number; a saved plan's id is consumed with it (`StalePlanError` if it was)."""

    def fold(self, run: int, folds: Sequence[Fold], outcomes: Sequence[Outcome], lease: Lease) -> None:
        """Commits finished actions: records, outcomes, closed intents in one transaction; `FencedError` if fenced."""

    def confirm(self, scope: str, versions: Sequence[tuple[str, Version, Version]], lease: Lease) -> None:
        """Settles records (key, version it has, version the target shows); one that changed since is left alone."""

    def end(self, run: Run, completed: Sequence[str], lease: Lease) -> None:
        """Ends a run; `completed` are the scopes with nothing left to do."""

    def runs(self, limit: int = 50) -> list[Run]:
        """Runs, newest first."""

    def outcomes(self, run: int) -> Iterator[Outcome]:
        """The actions of a run."""

    def past(self, run: int, scope: str, keys: Iterable[str]) -> Iterator[Past]:
        """Each path as the run found it, and as it left it; none at all when the run never wrote in this scope."""

    def consumed(self, plan: str) -> int | None:
        """The run that used this plan, if one did."""

    def lost(self) -> str:
        """A copy of the state that was here before, where this one has seen no run; "" for none."""

    def close(self) -> None:
        """Closes the state; idempotent."""


class Spill(Protocol):
    """Rows put in any order and read back sorted by key; in memory while small, in a temporary SQLite table beyond."""

    def put(self, key: str, value: bytes) -> None:
        """Adds a row; a key may come more than once."""

    def rows(self) -> Iterator[tuple[str, bytes]]:
        """All rows by key, equal keys in the order they came."""

    def __len__(self) -> int: ...

    def close(self) -> None:
        """Frees it."""


class Clock(Protocol):
    """Time, so that tests own it."""

    def now(self) -> float:
        """Unix seconds; for people and for granules, never for order."""

    def monotonic(self) -> float:
        """Seconds that never go back."""

    def sleep(self, seconds: float) -> None:
        """Waits."""


class Sink(Protocol):
    """A listener of the one stream of events (`core.events`)."""

    def __call__(self, event: Struct) -> None:
        """Hears one event."""


class Selection(Protocol):
    """Which paths are in scope, on both sides. Path rules may prune whole directories; sizes are asked apart."""

    @property
    def everything(self) -> bool:
        """No path rule at all: only control names are left out (the fast way of a walk)."""

    @property
    def ignore_files(self) -> tuple[str, ...]:
        """Names of ignore files a walk hands to `learn` when it meets them (`.reconcileignore`)."""

    def learn(self, directory: str, text: bytes) -> None:
        """Takes in the ignore file of a directory ("" for the root), before anything below it is asked."""

    def file(self, key: str) -> bool:
        """Whether a file is in scope by its path. Ask only when every directory above it was entered or is gone."""

    def descend(self, directory: str) -> bool:
        """Whether anything below a directory could be in scope."""

    def size(self, size_bytes: int) -> bool:
        """Whether a file of this size is in scope."""


Walk = Callable[[str], Iterator[Entry | Problem]]
"""`walk(under)`: how the local store lists; injected, because rooms of one floor do not look into each other."""


class Hints(Protocol):
    """Says that local files may have changed. May miss some and cry wolf: who hears it looks at everything himself."""

    @property
    def trouble(self) -> str:
        """Why nothing will be heard; "" while all is well."""

    def wait(self, timeout_s: float) -> frozenset[str]:
        """Absolute paths that may have changed, as soon as there are any; none after `timeout_s`, or on a stop."""

    def close(self) -> None:
        """Stops listening."""
