"""Streams of one mapping: sorted where they must be, read ahead by a thread, and honest about where they broke."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
import threading
from types import SimpleNamespace
from typing import Any

from msgspec.structs import replace
import pytest

from reconcile.core.entry import Cover, Digest, Entry, Problem, Version
from reconcile.core.errors import BusyError, DeniedError, NotFoundError
from reconcile.core.record import Record
from reconcile.flow import streams
from reconcile.flow.streams import ahead, record_stream, sort
from reconcile.ports import Traits
from reconcile.state import store as state_store
from reconcile.stores.wrapper import Wrapper
from tests.flow.world import World


def entries(*keys: str) -> list[Entry]:
    return [Entry(key, 1, Version("v")) for key in keys]


def record(key: str, size: int = 1) -> Record:
    return Record(key, size, Digest(bytes(32)), Version("v"))


def failing(error: Exception, *first: Entry) -> Iterator[Entry]:
    yield from first
    raise error


# --- sorting


@pytest.mark.parametrize("in_memory", [1, 2, 100])
def test_a_stream_is_sorted_whether_it_fits_or_not(in_memory: int) -> None:
    problem = Problem("c", "unread")
    mixed: list[Entry | Problem] = [*entries("e", "b"), problem, *entries("a", "e", "d", "b", "\u00e9")]
    told = list(sort(mixed, in_memory))
    assert told == [problem, *entries("a", "b", "d", "e", "\u00e9")]


def test_what_a_stopped_run_left_lies_over_the_records() -> None:
    house: Any = SimpleNamespace(state=SimpleNamespace(records=lambda _scope: iter(map(record, "ace"))))
    wired: Any = SimpleNamespace(scope=SimpleNamespace(id="s"))
    overlay = {"b": record("b"), "c": None, "e": record("e", 7), "z": record("z")}
    assert list(record_stream(house, wired, {})) == [record("a"), record("c"), record("e")]
    told = list(record_stream(house, wired, overlay))
    assert told == [record("a"), record("b"), record("e", 7), record("z")]
    assert list(record_stream(house, wired, {"0": record("0")})) == list(map(record, "0ace"))


# --- listings that break


def test_a_listing_that_breaks_leaves_all_behind_it_unknown() -> None:
    [first, broken] = streams._as_target(failing(BusyError("503", op="list", hint="wait"), *entries("a")))
    assert first == entries("a")[0]
    assert broken == Problem("a", "list: 503", Cover.RANGE, side="target", hint="wait")
    [all_of_it] = streams._as_target(failing(BusyError("503", op="list")))
    assert (all_of_it.key, all_of_it.cover) == ("", Cover.RANGE)
    [theirs] = streams._as_target([Problem("x", "unread")])
    assert theirs.side == "target"


def test_a_container_that_is_not_there_is_empty_unless_it_just_was() -> None:
    assert list(streams._as_target(failing(NotFoundError("no bucket", op="list")))) == []
    with pytest.raises(NotFoundError):
        list(streams._as_target(failing(NotFoundError("no bucket", op="list"), *entries("a"))))


def test_a_listing_that_is_refused_at_once_is_an_error() -> None:
    with pytest.raises(DeniedError):
        list(streams._as_target(failing(DeniedError("403", op="list"))))


# --- reading ahead


def threads() -> list[threading.Thread]:
    return [one for one in threading.enumerate() if one.name == "ahead"]


def test_what_is_read_ahead_is_the_same_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "CHUNK", 3)
    assert list(ahead(range(10), 1)) == list(range(10))
    assert list(ahead([])) == []


def test_an_error_reaches_the_reader_in_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "CHUNK", 2)
    read = []
    with pytest.raises(DeniedError):
        read.extend(iter(ahead(failing(DeniedError("403", op="list"), *entries("a", "b", "c")))))
    stream = ahead(failing(DeniedError("403", op="list"), *entries("a", "b", "c")))
    assert [next(stream).key for _ in range(3)] == ["a", "b", "c"]
    with pytest.raises(DeniedError):
        next(stream)


@pytest.mark.parametrize("ends", ["in a full queue", "at its end", "with an error"])
def test_the_thread_ends_soon_after_the_reader_lets_go(monkeypatch: pytest.MonkeyPatch, ends: str) -> None:
    monkeypatch.setattr(streams, "CHUNK", 1)
    let_go = threading.Event()

    def numbers() -> Iterator[int]:
        yield from range(4)
        if ends != "in a full queue":
            let_go.wait(5)
        if ends == "with an error":
            raise DeniedError("403", op="list")
        yield from range(0 if ends == "at its end" else 1_000_000)

    stream = ahead(numbers(), 1)
    assert next(stream) == 0
    threading.Event().wait(0.3)  # longer than the thread waits for room at a time
    stream.close()  # type: ignore[attr-defined]
    let_go.set()
    for thread in threads():
        thread.join(5)
    assert threads() == []


# --- listed in ranges


def test_a_large_listing_that_is_waited_for_is_cut_into_ranges(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = set()

    class Far(Wrapper):
        """A store over a network, in the order of its keys."""

        @property
        def traits(self) -> Traits:
            return replace(self.inner.traits, waits=True, order="bytes")

        def list(self, under: str = "", *, after: str | None = None, until: str | None = None):  # type: ignore[no-untyped-def]
            asked.add((after, until))
            return super().list(under, after=after, until=until)

    world = World(tmp_path, f"memory://{tmp_path.name}", around=Far)
    world.put(**{name: name for name in "abcdef"})
    world.settled()
    assert asked == {(None, None)}
    asked.clear()
    monkeypatch.setattr(state_store, "WORTH_CUTTING", 6)
    monkeypatch.setattr(streams, "RANGES", 3)
    world.settled()
    assert len(asked - {(None, None)}) == 3
