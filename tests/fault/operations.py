"""One operation of a store in S3 by itself, and what must hold of it whatever the service does to its requests."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import md5, sha256
from io import BytesIO
from typing import Any, Final

from msgspec.structs import replace

from reconcile.core.entry import ABSENT, Digest, Entry, Problem
from reconcile.core.errors import NotFoundError, StoreError
from reconcile.ports import Body, Hashes, Store
from reconcile.stores.objects.store import ObjectStore
from reconcile.stores.retry import Retrying
from tests.fault.hostile import HOSTILE
from tests.fault.points import Point
from tests.fault.s3_service import FOREIGN, points_at, requests_of, struck
from tests.fault.watched import PREFIX, WatchedS3
from tests.stores.fakes import OwnClock

OLD, NEW = b"the old content", b"new"
BIG: Final = b"large, so in two parts " * 4
Told = Any


@dataclass(frozen=True)
class Operation:
    """`do` returns what it was told; `before` is what stands there."""

    do: Callable[[Store], Told]
    before: Mapping[str, bytes]
    page: int = 1000


def _small(data: bytes) -> Body:
    return replace(_large(data), data=data, digest=Digest(sha256(data).digest()), md5=md5(data).digest())


def _large(data: bytes) -> Body:
    return Body(size_bytes=len(data), open=partial(BytesIO, data), token="t")


def _there(store: Store, key: str) -> Entry:
    found = store.stat(key)
    if found is None:
        raise NotFoundError("is gone", op="stat", path=key)
    return found


def _all(store: Store) -> list[Entry]:
    """What is there; an error where not all of it could be seen."""
    found = []
    for item in store.list():
        if isinstance(item, Problem):
            raise StoreError(item.reason, op="list", path=item.key)
        found.append(item)
    return sorted(found, key=lambda entry: entry.key)


def _raised(answers: Sequence[Exception | None]) -> None:
    for error in answers:
        if error is not None:
            raise error


def _create(store: Store) -> Told:
    return store.write("deep/new", _small(NEW), expect=ABSENT).size


def _create_large(store: Store) -> Told:
    return store.write("deep/new", _large(BIG), expect=ABSENT).size


def _update(store: Store) -> Told:
    return store.write("a", _small(NEW), expect=_there(store, "a").version).size


def _update_large(store: Store) -> Told:
    return store.write("a", _large(BIG), expect=_there(store, "a").version).size


def _copy(store: Store) -> Told:
    return store.copy(_there(store, "a"), "kept/a", expect=ABSENT).size


def _move(store: Store) -> Told:
    return store.move(_there(store, "a"), "b/c", expect=ABSENT).size


def _move_over(store: Store) -> Told:
    return store.move(_there(store, "a"), "b", expect=_there(store, "b").version).size


def _delete(store: Store) -> Told:
    _raised(store.delete([("a", _there(store, "a").version)]))


def _delete_many(store: Store) -> Told:
    _raised(store.delete([(entry.key, entry.version) for entry in _all(store)]))


def _list(store: Store) -> Told:
    return [(entry.key, entry.size) for entry in _all(store)]


def _read(store: Store) -> Told:
    return b"".join(store.read("a", version=_there(store, "a").version))


def _prove(store: Store) -> Told:
    return store.prove(replace(_there(store, "a"), digest=None), Hashes(Digest(sha256(OLD).digest())))


_MANY: Final = {f"many/{at}": b"one of %d" % at for at in range(7)}

OPERATIONS: Final = {
    "create": Operation(_create, {"a": OLD}),
    "create, large": Operation(_create_large, {"a": OLD}),
    "update": Operation(_update, {"a": OLD}),
    "update, large": Operation(_update_large, {"a": OLD}),
    "copy": Operation(_copy, {"a": OLD}),
    "move": Operation(_move, {"a": OLD}),
    "move over": Operation(_move_over, {"a": OLD, "b": NEW}),
    "move, large": Operation(_move, {"a": BIG}),
    "delete": Operation(_delete, {"a": OLD}),
    "delete many": Operation(_delete_many, _MANY),
    "list": Operation(_list, _MANY | {"a": OLD, "z": b""}, page=3),
    "read": Operation(_read, {"a": OLD}),
    "prove": Operation(_prove, {"a": OLD}),
}


class Bench:
    """One operation, begun as often as wanted from the same objects, on a store that tries again as every one does.

    It is the same store all along: what failed it once must not stand in the way of what it is asked next.
    """

    def __init__(self, operation: Operation, server: WatchedS3, trap: str) -> None:
        self._operation, self._server, self._trap = operation, server, trap
        server.page = operation.page
        for key, data in {**{f"{PREFIX}{key}": data for key, data in operation.before.items()}, **FOREIGN}.items():
            server.put(key, data)
        self._objects = server.kept()
        self._store = ObjectStore.open(f"s3://bucket/{PREFIX}", server.options())
        self._before = server.shown()
        self._told = self._do()
        self._after = server.shown()
        self._requests = requests_of(server.log)

    def points(self) -> Iterator[Point]:
        """Every fault at every request."""
        return points_at(self._requests)

    def close(self) -> None:
        self._store.close()

    def _do(self) -> Told:
        self._reset()
        return self._operation.do(Retrying(self._store, clock=OwnClock()))

    def _reset(self) -> None:
        self._server.restore(self._objects)

    def run(self, point: Point) -> bool:
        """Whether the fault was reached; asserts all that must hold then."""
        hostile = HOSTILE[point.fault]
        self._reset()
        self._watch(lies=hostile.lies)
        fault = struck(self._server, self._trap, point)
        told, error = None, None
        try:
            told = self._operation.do(Retrying(self._store, clock=OwnClock()))
        except StoreError as raised:
            error = raised
        self._server.heal()
        assert self._server.wrongs == [], point
        self._judge(point, told, error)
        return fault.fired > 0

    def _watch(self, *, lies: bool) -> None:
        """Every content of before that is there afterwards exists at each moment; each name has the old or the new."""
        stays = {*self._before.values()} & {*self._after.values()}
        both = self._before.keys() & self._after.keys()
        self._server.precious = stays
        self._server.whole = {} if lies else {PREFIX + key: (self._before[key], self._after[key]) for key in both}

    def _judge(self, point: Point, told: Told, error: StoreError | None) -> None:
        hostile, shown = HOSTILE[point.fault], self._server.shown()
        strange = {key.removeprefix(PREFIX) for key in self._server.strangers}
        for key in {*shown, *self._before, *self._after} - strange:
            allowed = {self._before.get(key), self._after.get(key)}
            assert hostile.lies or shown.get(key) in allowed, f"{point}: {key} holds {shown.get(key)!r}"
        if error is not None:
            assert error.op, f"{point}: {error!r}"
            assert error.path or point.key is None, f"{point}: {error!r}"
            return
        if strange or hostile.hides:
            return
        assert shown == self._after, f"{point}: no error, and not done: {shown}"
        assert told == self._told, f"{point}: it was told {told!r}"
