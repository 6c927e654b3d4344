"""Large bodies in parts: so many of them on their way at once, and no more than those in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from threading import BoundedSemaphore, Event
from typing import Final, TypeVar

T = TypeVar("T")

PARTS: Final = 10_000
"""So many parts a body may have, wherever it goes."""


class Lanes:
    """What all uploads of a store share: their threads, and the memory of `at_once` parts."""

    def __init__(self, at_once: int) -> None:
        self._room = BoundedSemaphore(at_once)
        self._threads = ThreadPoolExecutor(at_once, thread_name_prefix="part")

    def close(self) -> None:
        """Ends the threads."""
        self._threads.shutdown()

    def send_all(self, parts: Iterator[bytearray], send: Callable[[int, bytearray], T]) -> list[T]:
        """`send(number, part)` for every part, from 1 on and side by side; what each gave, in order.

        After a failure no further part is begun; it is raised when nothing is under way any more.
        """
        under_way: list[Future[T]] = []
        failed = Event()
        try:
            while not failed.is_set() and (data := self._next(parts)) is not None:
                number = len(under_way) + 1
                under_way.append(self._threads.submit(self._sent, send, (number, data), failed))
                del data  # the lane alone holds it, and drops it when it is sent
        finally:
            wait(under_way)
        return [future.result() for future in under_way]

    def _next(self, parts: Iterator[bytearray]) -> bytearray | None:
        """The next part, read when there is room for it; the room is given back by who sends it."""
        self._room.acquire()
        try:
            data = next(parts, None)
        except BaseException:
            self._room.release()
            raise
        if data is None:
            self._room.release()
        return data

    def _sent(self, send: Callable[[int, bytearray], T], part: tuple[int, bytearray], failed: Event) -> T:
        try:
            return send(*part)
        except BaseException:
            failed.set()
            raise
        finally:
            self._room.release()


def part_size(size_bytes: int, usual_bytes: int) -> int:
    """How large the parts of a body are: the usual size, or what it takes to stay within the number of parts."""
    return max(usual_bytes, -(-size_bytes // PARTS))
