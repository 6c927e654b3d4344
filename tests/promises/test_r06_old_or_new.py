"""R6: old or new. Every path of the target holds its whole old or its whole new content, at every moment that another
reader looks: during updates, moves, chains of renames, swaps and circles, small files and large, on disk and in S3.

The one exception, by name: a file that takes the place of a directory, or a directory that takes the place of a file.
No file system does that in one step, so such a name holds nothing for a moment; what it held is whole elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from reconcile.ports import HOOKS
from tests.crash.kinds import place
from tests.crash.places import Place, shown
from tests.crash.scenarios import STEADY, Scenario, named
from tests.flow.small_trees import make
from tests.flow.world import World

WHOLE = ("update", "move", "chain", "swap", "cycle of five", "large", "large chain", "delete", "create")
GAPS = ("file to directory", "directory to file", "into itself")


def ready(scenario: Scenario, where: Place) -> World:
    world = World(where.root, where.target, {"guard": {"max_delete": "off"}}, state=where.state)
    make(world.src, {**STEADY, **scenario.before})
    world.apply()
    make(world.src, {**STEADY, **scenario.after})
    return world


class Reader:
    """Reads everything on both sides of every I/O step: what another process can see changes at these alone."""

    def __init__(self, scenario: Scenario, where: Place) -> None:
        self._where = where
        ends = ({**STEADY, **scenario.before}, {**STEADY, **scenario.after})
        self._may_hold = {
            key: {end[key].encode() if key in end else None for end in ends}
            | ({None} if key in scenario.gaps else set())
            for key in {*ends[0], *ends[1]}
        }
        self.moments = 0
        self.wrong: list[str] = []

    def __call__(self, step: str, _told: tuple[Any, ...], _done: bool) -> None:
        self.moments += 1
        there = shown(self._where.contents())
        self.wrong += [f"{key} at {step}" for key, may in self._may_hold.items() if there.get(key) not in may]
        self.wrong += [f"{key}, unheard of, at {step}" for key in there.keys() - self._may_hold.keys()]


@contextmanager
def reading(reader: Reader) -> Iterator[None]:
    HOOKS.append(reader)
    try:
        yield
    finally:
        HOOKS.remove(reader)


@pytest.mark.parametrize("name", [*WHOLE, *GAPS])
@pytest.mark.parametrize("kind", ["local", "s3"])
def test_a_reader_between_any_two_steps(kind: str, name: str) -> None:
    scenario = named(name)
    with place(kind) as where:
        world = ready(scenario, where)
        reader = Reader(scenario, where)
        with reading(reader):
            world.options["concurrency"] = 1
            world.apply()
        assert reader.wrong == []
        assert reader.moments > 30
        assert shown(where.contents()) == {key: text.encode() for key, text in {**STEADY, **scenario.after}.items()}


def test_only_a_change_between_file_and_directory_leaves_a_gap() -> None:
    """The exception is needed: without it the reader would see a name that holds nothing."""
    scenario = named("file to directory")
    with place("local") as where:
        world = ready(scenario, where)
        looks: list[bool] = []
        HOOKS.append(lambda *_: looks.append((world.out / "file").exists()))
        try:
            world.apply()
        finally:
            HOOKS.pop()
        assert False in looks
        assert (world.out / "file").is_dir()


def test_a_reader_that_never_rests(tmp_path: Path) -> None:
    """As the above, without knowing our steps: a thread that reads as fast as it can."""
    world, size = World(tmp_path), 200_000
    world.put(a="0" * size, b="x" * size)
    world.apply()
    stop, seen = Event(), set()

    def read() -> None:
        while not stop.is_set():
            for name in ("a", "b"):
                content = (world.out / name).read_bytes()
                seen.add((len(content), len(set(content))))

    thread = Thread(target=read)
    thread.start()
    try:
        for number in range(1, 9):
            world.put(a=str(number) * size)
            swapped = [(world.src / name).read_bytes() for name in ("b", "a")] if number % 3 == 0 else []
            for name, content in zip(("a", "b"), swapped, strict=False):
                world.write(name, content)
            world.settled()
    finally:
        stop.set()
        thread.join()
    assert seen == {(size, 1)}
