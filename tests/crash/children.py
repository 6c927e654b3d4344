"""Work that is done in a forked child: what it holds (a lease, open files, patches) ends with it."""

from __future__ import annotations

from collections.abc import Callable
import os
import pickle
import tempfile
import traceback
from typing import Any


def in_child(work: Callable[[], Any]) -> Any:
    """What `work` returns, done by a child that is dead when this returns; an error there is an AssertionError here."""
    with tempfile.TemporaryFile() as answer:
        pid = os.fork()
        if pid == 0:
            _live(work, answer)
        _, status = os.waitpid(pid, 0)
        answer.seek(0)
        failed, told = pickle.load(answer)
        assert status == 0, f"status {status}"
        assert not failed, told
        return told


def _live(work: Callable[[], Any], answer: Any) -> None:
    try:
        told: tuple[bool, Any] = False, work()
    except BaseException:  # noqa: BLE001 - a child must never come back into the tests
        told = True, traceback.format_exc()
    pickle.dump(told, answer)
    answer.flush()
    os._exit(0)
