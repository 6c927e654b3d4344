"""The real command in a forked child that is sent signals at one of its own I/O steps."""

from __future__ import annotations

from collections.abc import Callable
import os
from pathlib import Path
import signal
import sys
import tempfile
import time
import traceback
from typing import Any, NamedTuple

from reconcile.cli.main import main
from reconcile.ports import HOOKS

Prepare = Callable[[], object]
HANGS_S = 30
"""So long a child hangs that should have been ended by its second signal."""


class Ended(NamedTuple):
    """How a child ended, what it said on both streams, and the moments of its steps (two each: before, after)."""

    code: int
    said: str
    steps: list[str]


class Sends:
    """Sends itself a signal at the moment `at` (from 0); with `twice` a SIGTERM at the next, where it then hangs."""

    def __init__(self, number: int, at: int, *, twice: bool = False) -> None:
        self._number = number
        self._at = at
        self._twice = twice
        self._seen = -1

    def __call__(self, _step: str, _told: tuple[Any, ...], _done: bool) -> None:
        self._seen += 1
        if self._seen == self._at:
            os.kill(os.getpid(), self._number)
        elif self._twice and self._seen == self._at + 1:
            os.kill(os.getpid(), signal.SIGTERM)  # of one kind two may count as one, if they come before it is heard
            time.sleep(HANGS_S)


def run_forked(root: Path, words: list[str], sends: Sends | None = None, prepare: Prepare = lambda: None) -> Ended:
    """Runs `reconcile WORDS` in `root` in a child that did `prepare` before."""
    with tempfile.TemporaryDirectory() as folder:
        said, steps = Path(folder, "said"), Path(folder, "steps")
        pid = start_forked(root, words, said, steps, sends, prepare)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        return Ended(code, said.read_text(errors="replace"), steps.read_text().split() if steps.exists() else [])


def start_forked(
    root: Path, words: list[str], said: Path, steps: Path, sends: Sends | None = None, prepare: Prepare = lambda: None
) -> int:
    """As `run_forked`, but it goes on: the child's pid."""
    pid = os.fork()
    if pid == 0:
        code = 70
        try:
            os.chdir(root)
            stream = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            os.dup2(stream, 1)
            os.dup2(stream, 2)
            code = _live(words, steps, sends, prepare)
        except BaseException:  # noqa: BLE001 - a child must never come back into the tests
            traceback.print_exc()
        finally:
            os._exit(code)
    return pid


def _live(words: list[str], steps: Path, sends: Sends | None, prepare: Prepare) -> int:
    sys.stdout = os.fdopen(1, "w", closefd=False, buffering=1)
    sys.stderr = os.fdopen(2, "w", closefd=False, buffering=1)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    taken: list[str] = []
    HOOKS.clear()
    HOOKS.append(lambda step, _told, _done: taken.append(step))
    if sends is not None:
        HOOKS.append(sends)
    prepare()
    try:
        main(words)
    except SystemExit as end:
        steps.write_text("\n".join(taken))
        return int(end.code or 0)
    return 71
