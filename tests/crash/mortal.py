"""A run that dies: a forked child that kills itself, as `kill -9` would, at the Nth moment of its I/O steps.

Every step has two moments, just before it is taken and just after. Nothing of the child survives but what stands on the
disk and in other processes: no handler runs, no lease is given back.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
import os
import signal
import sys
from threading import Lock
import traceback
from typing import Any, NoReturn

from reconcile.ports import HOOKS

Work = Callable[[], object]
_FAILED = 1


class Fate:
    """Kills the process at moment `at`, counted from 0; writes the step it died at."""

    def __init__(self, at: int, writes: int) -> None:
        self._left = at
        self._writes = writes
        self._lock = Lock()

    def __call__(self, step: str, _told: tuple[Any, ...], _done: bool) -> None:
        with self._lock:
            if self._left == 0:
                os.write(self._writes, step.encode())
                os.kill(os.getpid(), signal.SIGKILL)
                signal.pause()  # no thread does anything more while the signal is on its way
            self._left -= 1


def dies(work: Work, at: int) -> str:
    """Does `work` in a child that dies at moment `at`: returns the step; "" when it ended before."""
    code, told = _child(work, at)
    assert code in (0, -signal.SIGKILL), told
    return told if code != 0 else ""


def lives(work: Work) -> str:
    """Does `work` in a child of its own; returns what it returned, as text."""
    code, told = _child(work, None)
    assert code == 0, told
    return told


def moments(work: Work) -> list[str]:
    """The steps of `work`, done in a child that lives: one line for each moment, in turn."""
    seen: list[str] = []

    def told() -> str:
        HOOKS.append(lambda step, _told, _done: seen.append(step))
        work()
        return "\n".join(seen)

    return lives(told).splitlines()


_warm: list[bool] = []


def warm(work: Work) -> bool:
    """Does `work` once in a child, and loads here what it loaded there, so that no later child must; whether it did."""
    if _warm:
        return False
    _warm.append(True)

    def loaded() -> str:
        work()
        return "\n".join(sys.modules)

    for name in lives(loaded).splitlines():
        if name not in sys.modules:
            with suppress(ImportError):
                import_module(name)
    return True


def _child(work: Work, at: int | None) -> tuple[int, str]:
    """Forks; returns how the child ended (negative for a signal) and what it said: the last step, result or error."""
    reads, writes = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reads)
        _live(work, at, writes)
    os.close(writes)
    with open(reads, encoding="utf-8", errors="replace") as told:
        words = told.read()
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status), words


def _live(work: Work, at: int | None, writes: int) -> NoReturn:
    """Never comes back into the tests: no fixture, no handler of the parent runs twice."""
    code = _FAILED
    try:
        if at is not None:
            HOOKS.append(Fate(at, writes))
        try:
            words, code = str(work()), 0
        except BaseException:  # noqa: BLE001 - told to the parent, which fails for it
            words = traceback.format_exc()
        with open(writes, "w", encoding="utf-8", errors="replace") as told:
            told.write(words)
    finally:
        os._exit(code)
