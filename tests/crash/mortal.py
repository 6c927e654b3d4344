"""A run that dies: a forked child that ends, as `kill -9` would end it, at the Nth of its steps that leave a trace.

Steps are every change of the disk the local store makes and every commit of the state, each before and after it is
done. Nothing of the child survives but what stands on the disk: no handler runs, no lease is given back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
import os
from pathlib import Path
import tempfile
from threading import Lock
import traceback
from typing import Any

from reconcile.state import store as state_store
from reconcile.state.database import Database
from reconcile.stores.disk import Disk

KILLED = 9
_CHANGES = {name: change for name, change in vars(Disk).items() if callable(change) and not name.startswith("_")}


class Fate:
    """Ends the process at step `at`, counted from 0."""

    def __init__(self, at: int) -> None:
        self._left = at
        self._lock = Lock()

    def step(self) -> None:
        with self._lock:
            if self._left == 0:
                os._exit(KILLED)
            self._left -= 1

    def around(self, act: Callable[..., Any]) -> Callable[..., Any]:
        """The same act, with a step on either side."""

        @wraps(act)
        def fated(*told: Any, **named: Any) -> Any:
            self.step()
            done = act(*told, **named)
            self.step()
            return done

        return fated

    def befall(self) -> None:
        """From now on this process is mortal; there is no way back."""
        for name, change in _CHANGES.items():
            setattr(Disk, name, self.around(change))
        state_store.write_head = self.around(state_store.write_head)  # type: ignore[assignment]
        transaction = Database.transaction

        @contextmanager
        def fated(database: Database) -> Iterator[Any]:
            self.step()
            with transaction(database) as connection:
                yield connection
                self.step()
            self.step()

        Database.transaction = fated  # type: ignore[method-assign]


def dies(work: Callable[[], object], at: int) -> bool:
    """Whether `work`, in a child, died at step `at`; False when it ended before it took so many."""
    with tempfile.TemporaryDirectory() as folder:
        last_words = Path(folder, "last_words")
        pid = os.fork()
        if pid == 0:
            _live(work, at, last_words)
        _, status = os.waitpid(pid, 0)
        code = os.waitstatus_to_exitcode(status)
        assert code in (0, KILLED), last_words.read_text() if last_words.exists() else f"exit code {code}"
        return code == KILLED


def _live(work: Callable[[], object], at: int, last_words: Path) -> None:
    try:
        Fate(at).befall()
        work()
    except BaseException:  # noqa: BLE001 - a child must never come back into the tests
        last_words.write_text(traceback.format_exc())
        os._exit(1)
    os._exit(0)
