"""A run on tables that dies: a process of its own that kills itself at the Nth moment of its steps in the database."""

from __future__ import annotations

from collections.abc import Sequence
from multiprocessing import get_context
import os
from pathlib import Path
import signal
from threading import Lock
from typing import Any

from reconcile.ports import HOOKS
from reconcile.stores.tables import sqlite_bulk
from tests.flow.world import World

_PROCESSES = get_context("forkserver")
_PROCESSES.set_forkserver_preload(["tests.crash.table_warm"])


At = int | Sequence[str]
"""Which moment of the steps in a database: its number, -1 for none; or the last of these, once all came in order."""


PATIENCE_S = 600.0
"""A campaign runs at the lowest priority beside other work: only what hangs takes longer."""


class _Fate:
    """Kills at a moment, and counts those before."""

    def __init__(self, at: At) -> None:
        self._at = at
        self._left = [] if isinstance(at, int) else list(at)
        self.seen: list[str] = []
        self._lock = Lock()

    def __call__(self, step: str, _told: tuple[Any, ...], done: bool) -> None:
        if step.startswith("table."):
            with self._lock:
                moment = f"{step} {'after' if done else 'before'}"
                if len(self.seen) == self._at or self._left == [moment]:
                    os.kill(os.getpid(), signal.SIGKILL)
                    signal.pause()
                if moment in self._left[:1]:
                    self._left.pop(0)
                self.seen.append(moment)


def _run(words: dict[str, Any], at: At, told: str, home: dict[str, str], part_bytes: int) -> None:
    os.environ.update(home)
    sqlite_bulk.PART_BYTES = part_bytes  # type: ignore[misc]
    fate = _Fate(at)
    HOOKS.append(fate)
    World(**words).apply()
    Path(told).write_text("\n".join(fate.seen), encoding="utf-8")


def run(world: World, at: At = -1, *, part_bytes: int = sqlite_bulk.PART_BYTES) -> list[str]:
    """Applies, dying at moment `at`; the moments there were, none when it died. `part_bytes` is for large tables."""
    told = world.root / "moments"
    told.unlink(missing_ok=True)
    words = {name: getattr(world, name) for name in ("root", "target", "options", "state", "mapping", "stores")}
    home = {name: os.environ[name] for name in os.environ if name.startswith("XDG_") or name == "HOME"}
    process = _PROCESSES.Process(target=_run, args=(words, at, str(told), home, part_bytes))
    process.start()
    process.join(PATIENCE_S)
    assert process.exitcode in (0, -signal.SIGKILL), process.exitcode
    return told.read_text(encoding="utf-8").splitlines() if told.exists() else []
