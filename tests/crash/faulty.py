"""One fault in one I/O step: an error before the step is taken, or after it, so that its reply is lost."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
import errno
import os
from threading import Lock
from typing import Any

from reconcile import ports
from reconcile.core.errors import ReconcileError
from reconcile.core.outcome import Result
from tests.crash import sqlite_io
from tests.crash.alike import left
from tests.crash.blackouts import SOURCE, Machine, Recorded, read_state
from tests.crash.places import shown
from tests.crash.power import Image, Restored, copied, put_on_disk
from tests.crash.writelog import Log, Recorder
from tests.flow.small_trees import files_below
from tests.flow.world import World

ERRNOS = (
    errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS, errno.EINTR, errno.EMFILE,
    errno.ENFILE, errno.ENOMEM, errno.ESTALE, errno.ENOENT, errno.EEXIST, errno.EXDEV, errno.ENAMETOOLONG,
    errno.EBUSY, errno.ETIMEDOUT,
)  # fmt: skip
"""What a disk, local or mounted, can answer."""
OURS = ("disk.", "file.")
"""Steps of our own files; those of SQLite are told by its shim."""


class Fault:
    """Fails the step with number `at`, counted from 0, of all or `only` those of a name; `late`: after it was taken.

    `fired` tells which it was, `steps` names all there were. No sync answers that a name is taken: there it is `EIO`.
    """

    def __init__(self, at: int, code: int = errno.EIO, *, late: bool = False, only: str = "") -> None:
        self._at, self._code, self._late, self._only = at, code, late, only
        self._lock = Lock()
        self._doomed: set[int] = set()
        self.steps: list[str] = []
        self.fired = ""

    @property
    def count(self) -> int:
        """How many steps there were."""
        return len(self.steps)

    def __str__(self) -> str:
        when = "after" if self._late else "before"
        return f"{errno.errorcode[self._code]} {when} step {self._at}, {self.fired or 'never fired'}"

    def hear(self, step: str, told: tuple[Any, ...], done: bool) -> None:
        """A step of ours."""
        if step.startswith(self._only or OURS):
            self._pass(step, told, done)

    def hear_sqlite(self, step: str, told: tuple[Any, ...], done: bool) -> None:
        """A step of SQLite; its sync of a directory fails nobody."""
        if step != "sqlite.sync_directory" and step.startswith(self._only):
            self._pass(step, told, done)

    def _pass(self, step: str, told: tuple[Any, ...], done: bool) -> None:
        with self._lock:
            if not done:
                self.steps.append(step)
                if len(self.steps) - 1 != self._at:
                    return
                if self._late:
                    self._doomed.add(_key(step, told))
                    return
            elif self.fired or not self._doomed or _key(step, told) not in self._doomed:
                return
            self.fired = f"{step} {told[0] if told else ''}"
            if self._code == errno.EEXIST and ".sync" in step:  # it names nothing that could be there already
                self._code = errno.EIO
        raise OSError(self._code, os.strerror(self._code))


def _key(step: str, told: tuple[Any, ...]) -> int:
    return hash((step, *(str(one) for one in told)))


@contextmanager
def failing(fault: Fault) -> Iterator[Fault]:
    """While inside, the fault waits for its step."""
    with ExitStack() as stack:
        if not sqlite_io.WHY_NOT:
            stack.enter_context(sqlite_io.heard(fault.hear_sqlite))
        ports.HOOKS.append(fault.hear)
        stack.callback(ports.HOOKS.remove, fault.hear)
        yield fault


class Trial:
    """One world, put back to where it stood before every fault; whoever held its lease is then dead."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.machine = Machine(world)
        self._base = Recorder(world.root, SOURCE).log.base
        self._before = Recorded(Log(self._base), read_state(self.machine.state), self.machine.there(), {})
        self.wanted = world.here()
        self.kept = set(world.there()) - set(world.here())
        self._good: set[str] = set()

    def steps(self) -> int:
        """How many there are in a run without a fault."""
        return self.fail(Fault(-1)).count

    def fail(self, fault: Fault) -> Fault:
        """A run with the fault, judged; one without it then makes it good. What once was left before is good."""
        image = Image({number: copied(node) for number, node in self._base.items()})
        then = put_on_disk(image, self.world.root, SOURCE)
        self.world.around = lambda store: Restored(store, then)
        with failing(fault):
            told = self._apply()
        found = left(self.world, then)
        self._judge(fault, told, known=found in self._good)
        if found not in self._good:
            self.world.settled()
            self._check_reached(fault)
            self._good.add(found)
        return fault

    def _apply(self) -> Result | ReconcileError:
        try:
            return self.world.apply()
        except ReconcileError as error:
            return error

    def _judge(self, fault: Fault, told: Result | ReconcileError, *, known: bool) -> None:
        """What it told fits what it did; what it left is as it must be, where that is not `known`."""
        if told.exit_code == 0:
            self._check_reached(fault)
        elif isinstance(told, ReconcileError):
            assert told.op, f"{fault}: {told!r} does not say what was done"
            assert told.path, f"{fault}: {told!r} does not say where"
        else:
            failed = [outcome for outcome in told.outcomes if outcome.outcome != "done"]
            assert failed, fault
            assert all(outcome.error and outcome.key for outcome in failed), fault
        if known:
            return
        try:
            self.machine.check_contents(self._before)
        except AssertionError as error:
            raise AssertionError(f"{fault}: {error}") from error

    def _check_reached(self, fault: Fault) -> None:
        found = {key: data.decode() for key, data in shown(files_below(str(self.world.out))).items()}
        reached = {key: text for key, text in found.items() if key in self.wanted or key not in self.kept}
        assert reached == self.wanted, fault
