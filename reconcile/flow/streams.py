"""The three streams of the march, each made sorted, annotated and ahead of its reader."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from operator import attrgetter
from queue import Full, Queue
from threading import Event, Thread
from typing import TypeVar

import msgspec

from reconcile.abilities import Naming
from reconcile.core.entry import Cover, Entry, Problem
from reconcile.core.errors import NotFoundError, StoreError
from reconcile.core.record import Record
from reconcile.flow.layout import lay_out
from reconcile.flow.names import told_apart
from reconcile.flow.wired import House, Wired
from reconcile.ports import Spill, Store
from reconcile.scan.fingerprints import annotate
from reconcile.state.spill import make_spill
from reconcile.stores.objects.ranges import list_ranges
from reconcile.stores.patience import UnreachableError

CHUNK = 1_000
"""How many entries cross from the thread that lists to the one that marches at once."""

CHUNKS_AHEAD = 8
CHUNKS_MEANWHILE = 100
"""How far a walk may be ahead of a listing that is sorted first: 100,000 entries, about 50 MiB."""

SORTED_IN_MEMORY = 150_000
"""A listing of up to so many entries (about 60 MiB) is sorted without a file."""

RANGES = 32
"""Into so many parts a large listing is cut, at keys the state knows."""

Item = TypeVar("Item")

_key = attrgetter("key")
_decode = msgspec.msgpack.Decoder(Entry).decode
_encode = msgspec.msgpack.Encoder().encode


def source_stream(wired: Wired, *, unsorted: bool) -> Iterator[Entry | Problem]:
    """What is here, by target key, with the digests this machine already knows."""
    stream = _listed(wired.source, unsorted=unsorted)
    if wired.memory is not None:
        stream = annotate(chain(wired.memory.lost_mounts(), stream), wired.memory.prints.cursor())
    if wired.layout != "{path}":
        stream = sort(lay_out(wired, stream))
    stream = told_apart(wired, stream)
    if wired.target.traits.waits and not wired.source.traits.waits:  # walk while the listing waits for its pages
        return ahead(stream, CHUNKS_MEANWHILE)
    return ahead(stream) if wired.source.traits.waits else stream


def target_stream(house: House, wired: Wired, *, unsorted: bool) -> Iterator[Entry | Problem]:
    """What is there; nothing when the container is missing. Listed in ranges side by side where the order allows it."""
    target = wired.target
    recall(house, wired)
    if not target.traits.waits:
        return _as_target(_listed(target, unsorted=unsorted))
    bounds = house.state.bounds(wired.scope.id, RANGES) if target.traits.order == "bytes" and not unsorted else []
    if bounds:
        return _as_target(list_ranges(target, bounds))
    return ahead(_as_target(_listed(target, unsorted=unsorted)))


def recall(house: House, wired: Wired) -> None:
    """Tells the target what is remembered of it: what still is so looks as what it was made from."""
    if isinstance(wired.target, Naming):
        wired.target.recall(house.state.records(wired.scope.id))


def record_stream(house: House, wired: Wired, overlay: dict[str, Record | None]) -> Iterator[Record]:
    """What we remember, with what a stopped run left open laid over it (`None`: gone)."""
    records = house.state.records(wired.scope.id)
    if not overlay:
        return records
    kept = (record for record in records if record.key not in overlay)
    added = sorted((record for record in overlay.values() if record is not None), key=lambda record: record.key)
    return _merge(kept, iter(added))


def _merge(one: Iterator[Record], other: Iterator[Record]) -> Iterator[Record]:
    here, there = next(one, None), next(other, None)
    while here is not None or there is not None:
        if there is None or (here is not None and here.key < there.key):
            assert here is not None
            yield here
            here = next(one, None)
        else:
            yield there
            there = next(other, None)


def _listed(store: Store, *, unsorted: bool) -> Iterator[Entry | Problem]:
    if unsorted or store.traits.order == "none":
        return _sorted(store)
    return store.list()


def _sorted(store: Store) -> Iterator[Entry | Problem]:
    """Listed when it is first read, so that an error meets whoever reads."""
    yield from sort(store.list())


def _as_target(stream: Iterable[Entry | Problem]) -> Iterator[Entry | Problem]:
    """Problems are marked as the target's; a listing that breaks leaves everything behind it unknown."""
    last = ""
    try:
        for item in stream:
            if isinstance(item, Problem):
                yield msgspec.structs.replace(item, side="target")
            else:
                last = item.key
                yield item
    except NotFoundError:
        if last:
            raise
    except StoreError as error:
        if not last and (error.permanent or isinstance(error, UnreachableError)):
            raise
        yield Problem(last, str(error), Cover.RANGE, side="target", hint=error.hint)


def sort(stream: Iterable[Entry | Problem], in_memory: int = SORTED_IN_MEMORY) -> Iterator[Entry | Problem]:
    """Any order in, order of keys out; problems first, so that they cover whatever comes. Equal keys fold into one."""
    problems: list[Problem] = []
    held: list[Entry] = []
    rows: Spill | None = None
    for item in stream:
        if isinstance(item, Problem):
            problems.append(item)
            continue
        held.append(item)
        if len(held) > in_memory:
            rows = rows or make_spill(0)
            _pour(held, rows)
    if rows is not None:
        _pour(held, rows)
        return chain(problems, _once(_poured(rows)))
    held.sort(key=_key)
    return chain(problems, _once(held))


def _pour(held: list[Entry], rows: Spill) -> None:
    for entry in held:
        rows.put(entry.key, _encode(entry))
    held.clear()


def _poured(rows: Spill) -> Iterator[Entry]:
    try:
        for _, value in rows.rows():
            yield _decode(value)
    finally:
        rows.close()


def _once(entries: Iterable[Entry]) -> Iterator[Entry]:
    """Each key once: a listing that shows an object twice doubles nothing."""
    last = None
    for entry in entries:
        if entry.key != last:
            last = entry.key
            yield entry


def ahead(stream: Iterable[Item], chunks: int = CHUNKS_AHEAD) -> Iterator[Item]:
    """The same stream, read ahead by a thread; an error reaches the reader in its place.

    The thread ends with the stream, or soon after the reader lets go.
    """
    queue: Queue[list[Item] | BaseException | None] = Queue(chunks)
    gone = Event()
    thread = Thread(target=_read_ahead, args=(stream, queue, gone), daemon=True, name="ahead")
    thread.start()
    return _drain(queue, gone)


def _drain(queue: Queue[list[Item] | BaseException | None], gone: Event) -> Iterator[Item]:
    try:
        while (chunk := queue.get()) is not None:
            if isinstance(chunk, BaseException):
                raise chunk
            yield from chunk
    finally:
        gone.set()


def _read_ahead(stream: Iterable[Item], queue: Queue[list[Item] | BaseException | None], gone: Event) -> None:
    def hand(chunk: list[Item] | BaseException | None) -> bool:
        while not gone.is_set():
            try:
                queue.put(chunk, timeout=0.2)
            except Full:
                continue
            return True
        return False

    chunk: list[Item] = []
    try:
        for item in stream:
            chunk.append(item)
            if len(chunk) >= CHUNK:
                if not hand(chunk):
                    return
                chunk = []
    except BaseException as error:  # noqa: BLE001 - it is raised again where the stream is read
        hand(chunk)
        hand(error)
        return
    hand(chunk)
    hand(None)
