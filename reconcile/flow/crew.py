"""Threads that carry out tasks for one coordinator, which hears of each in a queue.

A pool of futures does the same at ten times the price of a task: a lock, a condition and a semaphore for each, where
nobody ever waits for one of them alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from queue import Empty, SimpleQueue
import threading
from types import TracebackType
from typing import Generic, Self, TypeVar

T = TypeVar("T")


class Crew(Generic[T]):
    """Up to `size` threads, each begun when there is a task that no other is free for.

    A task that is still waiting when `may_not_begin` says so, or when the coordinator fails, is not begun: it is heard
    of as None.
    """

    def __init__(self, size: int, name: str, may_not_begin: Callable[[], bool]) -> None:
        self.at_work = 0
        self._size = size
        self._name = name
        self._may_not_begin = may_not_begin
        self._failed = False
        self._tasks: SimpleQueue[Callable[[], T] | None] = SimpleQueue()
        self._heard: SimpleQueue[T | BaseException | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._failed = error is not None
        for _ in self._threads:
            self._tasks.put(None)
        for thread in self._threads:
            thread.join()

    def begin(self, task: Callable[[], T]) -> None:
        """Hands a task to whoever is free first."""
        self._tasks.put(task)
        self.at_work += 1
        if len(self._threads) < min(self.at_work, self._size):
            thread = threading.Thread(target=self._work, name=f"{self._name}_{len(self._threads)}")
            self._threads.append(thread)
            thread.start()

    def hear(self, *, wait: bool) -> Iterator[T]:
        """What has ended since (with `wait`, at least one, if any is at work); an error is raised in its turn."""
        while self.at_work:
            try:
                heard = self._heard.get(block=wait)
            except Empty:
                return
            wait = False
            self.at_work -= 1
            if isinstance(heard, BaseException):
                raise heard
            if heard is not None:
                yield heard

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            try:
                self._heard.put(None if self._failed or self._may_not_begin() else task())
            except BaseException as error:  # noqa: BLE001 - raised again where it is heard
                self._heard.put(error)
