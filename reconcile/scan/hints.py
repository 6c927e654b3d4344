"""Hints that local files changed: what the system tells of directories, and a glance at single files now and then.

Hints are never more than that: the system loses some in new directories and when many come at once, without a word. Who
hears one looks at everything.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
import os
import threading
import time
from typing import Any, Final

STEP_MS: Final = 50
"""So long the system gathers changes at most, and so long a stop may take."""

GLANCE_S: Final = 0.5
"""How often single files are looked at."""

Signature = tuple[int, ...]


def signature(path: str) -> Signature:
    """What changes when a file is written or replaced; () when there is none."""
    try:
        stat = os.stat(path)  # noqa: PTH116 - what a link leads to, as the one who reads it sees it
    except OSError:
        return ()
    return stat.st_dev, stat.st_ino, stat.st_mtime_ns, stat.st_size


def identity(path: str) -> Signature:
    """Which directory this is; () when there is none. Another one under the same name must be followed anew."""
    return signature(path)[:2]


class FileHints:
    """`ports.Hints` of the trees below `roots` and of single `files`; a set `stop` ends every waiting."""

    def __init__(self, roots: Iterable[str], files: Iterable[str], stop: threading.Event) -> None:
        self._stop = stop
        self._seen = {path: signature(path) for path in files}
        self._glanced = time.monotonic()
        self._trouble = ""
        self._early: frozenset[str] = frozenset()
        self._told: Generator[set[Any], None, None] | None = None
        self._begin([root for root in roots if identity(root)])

    @property
    def trouble(self) -> str:
        """Why the system tells us nothing; "" when it does."""
        return self._trouble

    def wait(self, timeout_s: float) -> frozenset[str]:
        """Absolute paths that may have changed, as soon as there are any; none after `timeout_s`, or on a stop."""
        end = time.monotonic() + timeout_s
        while True:
            heard = self._hear(min(GLANCE_S, end - time.monotonic())) | self._glance()
            if heard or self._stop.is_set() or time.monotonic() >= end:
                return heard

    def close(self) -> None:
        """Lets the system forget us."""
        if self._told is not None:
            self._told.close()
            self._told = None

    def _begin(self, roots: list[str]) -> None:
        if not roots:
            return
        try:
            from watchfiles import watch  # noqa: PLC0415 - 50 ms that only a watch pays

            self._told = watch(
                *roots,
                watch_filter=None,
                debounce=STEP_MS,
                step=STEP_MS,
                stop_event=self._stop,
                rust_timeout=STEP_MS,
                yield_on_timeout=True,
                ignore_permission_denied=True,
            )
        except ImportError as error:
            self._trouble = str(error)
        self._early = self._hear(0.0)

    def _hear(self, timeout_s: float) -> frozenset[str]:
        """What the system tells now, or within about `STEP_MS`; without it, the wait alone."""
        early, self._early = self._early, frozenset()
        if early:
            return early
        if self._told is None:
            self._stop.wait(max(timeout_s, 0.0))
            return early
        try:
            return frozenset(path for _, path in next(self._told, ()))
        except (OSError, RuntimeError) as error:  # no watches left, or the watching itself broke
            self._trouble = str(error)
            self._told = None
            return early

    def _glance(self) -> frozenset[str]:
        """The single files that are not what they were."""
        now = time.monotonic()
        if now - self._glanced < GLANCE_S:
            return frozenset()
        self._glanced = now
        before, self._seen = self._seen, {path: signature(path) for path in self._seen}
        return frozenset(path for path, seen in self._seen.items() if seen != before[path])
