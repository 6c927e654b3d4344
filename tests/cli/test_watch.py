"""`reconcile watch` as people and service managers run it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import contextmanager
import json
import os
from pathlib import Path
import signal
import subprocess
import sys
import threading
import time

import pytest

ROOT = Path(__file__).parents[2]


@contextmanager
def stopped_when(holds: Callable[[], object], number: int = signal.SIGINT):
    """Signals this process as soon as something holds, or after 10 s; not any more when the block is over."""
    over = threading.Event()

    def wait() -> None:
        end = time.monotonic() + 10
        while not (holds() or over.wait(0.02)) and time.monotonic() < end:
            pass
        if not over.is_set():
            os.kill(os.getpid(), number)

    waiting = threading.Thread(target=wait)
    waiting.start()
    try:
        yield
    finally:
        over.set()
        waiting.join()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_well(place, number):
    with stopped_when((place.root / "there" / "sub" / "c.txt").exists, number):
        told = place("watch")
    assert told.code == 0
    assert all(f" + {name} " in told.out for name in ("a.txt", "b.txt", "sub/c.txt"))


def test_json_is_an_event_a_line_and_a_report_for_every_pass_that_did_something(place):
    with stopped_when((place.root / "there" / "sub" / "c.txt").exists):
        told = place("watch", "--json")
    lines = [json.loads(line) for line in told.out.splitlines()]
    assert [line["seq"] for line in lines] == list(range(1, len(lines) + 1))
    assert [line["counts"] for line in lines if line["event"] == "report"] == [{"create": 3}]


def test_one_file_is_followed_through_atomic_saves(bare):
    bare.write("reconcile.yaml", "version: 1\nmappings:\n  one: {source: ./one.txt, target: ./there}\n")
    bare.write("one.txt", "first")

    def saved() -> bool:
        there = bare.root / "there" / "one.txt"
        if there.exists() and there.read_text() == "first":
            os.replace(bare.write("new", "second"), bare.root / "one.txt")
        return there.exists() and there.read_text() == "second"

    with stopped_when(saved):
        assert bare("watch", "--debounce", "20ms").code == 0
    assert bare.read("there/one.txt") == "second"


def test_an_edit_of_the_spec_is_taken_over_and_a_broken_one_is_not(place):
    steps = iter(
        [
            lambda: place.write("reconcile.yaml", "nonsense: ["),
            lambda: place.write(
                "reconcile.yaml", "version: 1\nmappings:\n  docs: {source: ./docs, target: ./elsewhere}\n"
            ),
        ]
    )
    began = time.monotonic()
    done = [0.0]

    def edited() -> bool:
        if (place.root / "there" / "a.txt").exists() and time.monotonic() - began > 1.2 * (done[0] + 1):
            next(steps, lambda: None)()
            done[0] += 1
        return (place.root / "elsewhere" / "sub" / "c.txt").exists()

    with stopped_when(edited):
        told = place("watch", "--debounce", "20ms")
    assert told.code == 0
    assert "is not sound; the old one goes on" in told.out
    assert "is taken over" in told.out


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--dashboard", "127.0.0.1:8080"), "the dashboard is not built yet"),
        (("--debounce", "soon"), "`soon` is no duration"),
        (("--allow", "everything"), "there is no permission"),
        (("--mapping", "nope"), "there is no mapping"),
    ],
)
def test_a_wrong_call_is_told_at_once(place, words, why):
    told = place("watch", *words)
    assert told.code == 1
    assert why in told.err
    assert not (place.root / "there").exists()


def test_sync_watches_too(place):
    with stopped_when((place.root / "out" / "sub" / "c.txt").exists):
        told = place("sync", "docs", "out", "--watch", "--lock-timeout", "1s")
    assert told.code == 0
    assert "+ sub/c.txt" in told.out


def test_lines_come_at_once_through_a_pipe_and_a_stop_takes_no_time(place):
    command = [sys.executable, "-m", "reconcile", "watch", "--debounce", "20ms"]
    environ = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, cwd=place.root, env=environ, stdout=subprocess.PIPE, text=True) as process:
        lines = iter(process.stdout.readline, "")
        told = [next(lines) for _ in range(4)]
        assert "in sync, 3 paths" in told[-1]
        place.write("docs/new.txt", "new")
        assert "+ new.txt 3 B" in next(lines)
        process.send_signal(signal.SIGTERM)
        began = time.monotonic()
        assert process.wait(5) == 0
        took_s = time.monotonic() - began
    assert took_s < 1, "0.1 s to stop, and the time an interpreter takes to leave"
