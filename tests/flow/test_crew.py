"""Threads that work for one coordinator: everything is heard of once, and nothing begins after the end."""

from __future__ import annotations

from functools import partial
import threading

import pytest

from reconcile.flow.crew import Crew


def _never() -> bool:
    return False


def _heard(crew: Crew[int]) -> list[int]:
    heard: list[int] = []
    while crew.at_work:
        heard += crew.hear(wait=True)
    return heard


def test_each_task_is_heard_of_once_whoever_did_it() -> None:
    with Crew[int](4, "crew", _never) as crew:
        for number in range(1_000):
            crew.begin(lambda number=number: number)  # type: ignore[misc]
        assert sorted(_heard(crew)) == list(range(1_000))


def test_no_more_threads_than_tasks_and_none_afterwards() -> None:
    before = threading.active_count()
    with Crew[int](16, "crew", _never) as crew:
        for number in range(3):
            crew.begin(lambda number=number: number)  # type: ignore[misc]
        assert threading.active_count() <= before + 3
        _heard(crew)
    assert threading.active_count() == before


def test_who_is_free_takes_the_next_task() -> None:
    before = threading.active_count()
    with Crew[int](16, "crew", _never) as crew:
        for number in range(5):
            crew.begin(lambda number=number: number)  # type: ignore[misc]
            assert _heard(crew) == [number]
        assert threading.active_count() == before + 1


def test_at_most_so_many_at_once() -> None:
    busy, most, lock = 0, 0, threading.Lock()

    def task() -> int:
        nonlocal busy, most
        with lock:
            busy += 1
            most = max(most, busy)
        threading.Event().wait(0.002)
        with lock:
            busy -= 1
        return 0

    with Crew[int](3, "crew", _never) as crew:
        for _ in range(30):
            crew.begin(task)
        _heard(crew)
    assert most == 3


def test_without_waiting_only_what_has_ended_is_heard() -> None:
    go = threading.Event()

    def slow() -> int:
        go.wait()
        return 7

    with Crew[int](1, "crew", _never) as crew:
        crew.begin(slow)
        assert list(crew.hear(wait=False)) == []
        go.set()
        assert list(crew.hear(wait=True)) == [7]
        assert list(crew.hear(wait=True)) == []


def test_what_a_task_raises_is_raised_after_what_ended_before_it() -> None:
    def broken() -> int:
        raise KeyError("broken")

    heard: list[int] = []

    def run() -> None:
        with Crew[int](1, "crew", _never) as crew:
            crew.begin(lambda: 1)
            crew.begin(broken)
            while crew.at_work:
                heard.extend(crew.hear(wait=True))

    with pytest.raises(KeyError, match="broken"):
        run()
    assert heard == [1]


def test_nothing_begins_after_a_stop() -> None:
    stopped, begun, go = threading.Event(), list[int](), threading.Event()
    with Crew[int](1, "crew", stopped.is_set) as crew:
        for number in range(10):
            crew.begin(lambda number=number: [begun.append(number), go.wait(), number][-1])  # type: ignore[misc]
        while not begun:
            pass
        stopped.set()
        go.set()
        assert _heard(crew) == [0]
    assert begun == [0]


def test_nothing_begins_after_the_coordinator_failed() -> None:
    begun = list[int]()
    crew = Crew[int](1, "crew", _never)

    def task(number: int) -> int:
        begun.append(number)
        while not crew._failed:
            pass
        return number

    def run() -> None:
        with crew:
            for number in range(10):
                crew.begin(partial(task, number))
            while not begun:
                pass
            raise KeyError("failed")

    with pytest.raises(KeyError, match="failed"):
        run()
    assert begun == [0]
