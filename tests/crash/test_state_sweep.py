"""Every step of everything that writes a state fails with every error a disk can answer, before it is taken or after.

The state a reader finds then is the last commit or the next, whatever failed is told, and the deed done again succeeds.
"""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from reconcile.core.errors import ReconcileError
from reconcile.state import alive
from tests.crash import sqlite_io
from tests.crash.deeds import (
    DEEDS,
    Files,
    after_each_step,
    failure,
    files_of,
    generations_state,
    known,
    put,
    same_lots,
    seen,
    state_of,
)
from tests.crash.faulty import ERRNOS, Fault, failing

TOLD_APART = {
    "sqlite.open": (errno.EIO, errno.EINTR),
    "sqlite.write": (errno.EIO, errno.ENOSPC, errno.EINTR),
    "sqlite.truncate": (errno.EIO, errno.EINTR),
}

pytestmark = pytest.mark.skipif(bool(sqlite_io.WHY_NOT), reason=sqlite_io.WHY_NOT)


@pytest.fixture(autouse=True)
def the_dead_hold_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A deed that failed to give its lease back is of this very process, which lives; its user's would be gone."""
    monkeypatch.setattr(alive, "life", lambda _: "dead")


class Sweep:
    """One deed, begun again for each fault from the same files, with the same lots: what it leaves, it leaves again."""

    def __init__(self, name: str, folder: Path) -> None:
        self._deed, self._folder = DEEDS[name], folder
        folder.mkdir()
        self._deed.ready(folder)
        self._before = files_of(folder)
        self._told: dict[frozenset[tuple[str, bytes]], object] = {}
        self._allowed = self._commits(after_each_step(self._deed, folder))
        self._reached = known(self._deed, folder)
        self._good: set[tuple[int, frozenset[str]]] = set()

    def _commits(self, steps: list[Files]) -> list[object]:
        """What readers find on the way, in turn."""
        found: list[object] = []
        for files in steps:
            put(files, self._folder)
            told = seen(self._deed, self._folder)
            if not found or found[-1] != told:
                found.append(told)
        return found

    def fail(self, fault: Fault) -> bool:
        """Whether the fault fired; all is well then."""
        put(self._before, self._folder)
        with same_lots():
            with failing(fault):
                error = failure(self._deed, self._folder)
            if fault.fired:
                self._judge(fault, error)
        return bool(fault.fired)

    def _judge(self, fault: Fault, error: ReconcileError | None) -> None:
        files = files_of(self._folder)
        found = self._found(files)
        assert found in self._allowed, fault
        assert error is not None or found == self._allowed[-1], f"{fault}: no error, and not done"
        assert error is None or (error.op and error.path), f"{fault}: {error!r}"
        left = self._allowed.index(found), frozenset(files)
        if left not in self._good:
            self._again(fault)
            self._good.add(left)

    def _found(self, files: Files) -> object:
        """What a reader finds; where it can see nothing that another did not see, that is what the other found."""
        shown = frozenset((name, data) for name, data in files.items() if name.startswith(self._deed.shown))
        if shown not in self._told:
            self._told[shown] = seen(self._deed, self._folder)
        return self._told[shown]

    def _again(self, fault: Fault) -> None:
        """It can be done again. What readers find the same, under the same names, is the same."""
        error = failure(self._deed, self._folder)
        assert error is None, f"{fault}, then {error!r}"
        assert known(self._deed, self._folder) == self._reached, fault


def steps(sweep: Sweep) -> list[str]:
    """What a deed takes without a fault."""
    whole = Fault(-1)
    sweep.fail(whole)
    return whole.steps


def chosen(steps: list[str]) -> list[Fault]:
    """Each step before and after; with every second error, in turn.

    Of a step of SQLite with those that its own methods tell apart: all others are the same error of SQLite.
    """
    return [
        Fault(at, code, late=late)
        for at, step in enumerate(steps)
        for late in (False, True)
        for code in (TOLD_APART.get(step, (errno.EIO,)) if step.startswith("sqlite.") else ERRNOS[(at + late) % 2 :: 2])
    ]


@pytest.mark.hazard("T18", "T20", "T21")
@pytest.mark.parametrize("name", DEEDS)
def test_a_fault_in_what_writes_a_state(tmp_path: Path, name: str) -> None:
    sweep = Sweep(name, tmp_path / "state")
    faults = chosen(steps(sweep))[:: 6 if DEEDS[name].costly else 1]
    assert sum(map(sweep.fail, faults)) >= 0.9 * len(faults)


@pytest.mark.hazard("T01", "T18")
def test_a_fault_while_a_state_begins_anew_loses_no_copy_of_the_one_that_is_gone(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder.mkdir()
    generations_state(folder)
    state_of(folder).unlink()
    before = files_of(folder)
    copies = [data for name, data in before.items() if ".g" in name]
    assert copies

    def fails(fault: Fault) -> Fault:
        put(before, folder)
        with failing(fault):
            failure(DEEDS["the first"], folder)
        for again in (False, True):
            if again:
                assert failure(DEEDS["the first"], folder) is None, fault
            assert [data for data in files_of(folder).values() if data in copies] == copies, fault
        return fault

    faults = chosen(fails(Fault(-1)).steps)
    assert {"file.rename", "file.touch"} <= set(fails(Fault(-1)).steps)
    assert sum(bool(fails(fault).fired) for fault in faults) >= 0.9 * len(faults)
