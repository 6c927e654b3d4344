"""SIGINT and SIGTERM: the first asks for a clean end, the second ends the process at once, wherever it hangs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
import os
import signal
import socket
import threading
from typing import Final

from reconcile.core.errors import StoppedError

STOPS: Final = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def stopping(stop: threading.Event, told: Callable[[], None] = lambda: None) -> Iterator[None]:
    """The first SIGINT or SIGTERM sets `stop`; the second ends the process (the journal is enough).

    A thread of its own hears the signals, so that they count while the main thread waits for a disk or a network.
    `told` is called there after the first.
    """
    mouth, ear = socket.socketpair()
    mouth.setblocking(False)
    hearing = threading.Thread(target=_hear, args=(ear, stop, told), name="signals", daemon=True)
    hearing.start()
    before = {number: signal.signal(number, _heard) for number in STOPS}
    woken = signal.set_wakeup_fd(mouth.fileno())
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(woken)
        mouth.close()
        hearing.join()
        ear.close()


def _hear(ear: socket.socket, stop: threading.Event, told: Callable[[], None]) -> None:
    while number := ear.recv(1):
        if number[0] not in STOPS:
            continue
        if stop.is_set():
            os._exit(StoppedError.exit_code)
        stop.set()
        told()


def _heard(_number: int, _frame: object) -> None:
    """The thread hears it; this only keeps Python from doing what it usually does."""


@contextmanager
def interruptible() -> Iterator[None]:
    """While nothing is begun (we look, or a person is asked) the first signal ends the run there and then."""
    before = {number: signal.signal(number, signal.default_int_handler) for number in STOPS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
