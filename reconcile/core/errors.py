"""Every error of the program, one tree.

::

    ReconcileError(message, op, path, hint)      exit 1
    ├── UsageError                               1   a wrong flag, a refused question without a terminal, "declined"
    ├── SpecError(problems)                      1   all problems of a spec at once, each with file:line:column
    ├── PlanError                                1   the desired state contradicts itself (two sources, one target)
    │   └── StalePlanError                       5   stale, used, edited or foreign plan
    ├── GuardError(refusals)                     4   a guarded mapping was asked for
    ├── StoppedError                           130   a signal asked us to end
    ├── StoreError(permanent)                    1   (7 when it hit one action only)
    │   ├── NotFoundError                            nothing there
    │   ├── ChangedError                             not the version (or the absence) the caller expected
    │   ├── DeniedError                              credentials or permissions
    │   ├── BusyError(retry_after_s)                 worth another try: throttled, timed out, cut off
    │   ├── UnstableError                            the bytes changed while they were read
    │   ├── DamagedError                             the store answered nonsense, or keeps other bytes than were sent
    │   └── RefusedError                             the store cannot do this at all: a name, a size, a kind
    └── StateError                               1
        ├── LockedError(holder)                  6
        ├── FencedError                          6   our lease was broken or taken; nothing more may be written
        ├── LineageError                             a state of another family, or older than its head
        ├── NewerStateError                          written by a newer version
        └── CorruptStateError                        damaged: left as it is, a generation is offered

"May it be tried again?" is the property `permanent`, never a match on the text. Adapters translate the errors of
their libraries at their border with ``raise … from e``; nobody above sees another tree.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence


class ReconcileError(Exception):
    """What went wrong (`message`), doing what (`op`), where (`path`), and what to do next (`hint`)."""

    exit_code = 1

    def __init__(self, message: str, *, op: str = "", path: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.op = op
        self.path = path
        self.hint = hint

    def __str__(self) -> str:
        where = " ".join(part for part in (self.op, self.path) if part)
        return f"{where}: {self.message}" if where else self.message


class UsageError(ReconcileError):
    """The call itself is wrong: a flag, an argument, a question nobody can answer."""


class SpecError(ReconcileError):
    """Every problem of a spec at once; each line is ``file:line:column: pointer: what is wrong, and a hint``."""

    def __init__(self, problems: Sequence[str], *, path: str = "") -> None:
        super().__init__("\n".join(problems), hint="reconcile schema prints what is allowed")
        self.problems = list(problems)
        self.spec_path = path


class PlanError(ReconcileError):
    """The desired state contradicts itself; nothing was sent."""


class StalePlanError(PlanError):
    """A saved plan no longer fits what it was made from, was edited, or was used before."""

    exit_code = 5


class GuardError(ReconcileError):
    """A guard refused; `refusals` names each mapping, the numbers and the flag that allows it."""

    exit_code = 4

    def __init__(self, refusals: Sequence[str]) -> None:
        super().__init__("\n".join(refusals))
        self.refusals = list(refusals)


class StoppedError(ReconcileError):
    """A signal asked for a clean end."""

    exit_code = 130


class StoreError(ReconcileError):
    """A store could not do what it was asked; `permanent` says that asking again is useless.

    `unsure`: what was asked may have been done all the same; only looking tells.
    """

    permanent = True
    unsure = False


class NotFoundError(StoreError):
    """Nothing is stored under that key, or the container itself is missing."""


class ChangedError(StoreError):
    """The target is not what the caller expected (another version, or something where nothing was)."""


class DeniedError(StoreError):
    """The store knows us but says no, or does not know us."""


class BusyError(StoreError):
    """Throttled, timed out or cut off: worth another try, after `retry_after_s` seconds if the store said so.

    `given_up`: it was tried as often as it was worth.
    """

    permanent = False
    unsure = True
    given_up = False

    def __init__(self, message: str, *, retry_after_s: float | None = None, **where: Any) -> None:
        super().__init__(message, **where)
        self.retry_after_s = retry_after_s


class UnstableError(StoreError):
    """The source changed while it was read; nothing of it was published."""


class DamagedError(StoreError):
    """The store answered what it cannot mean, or keeps other bytes than were sent."""


class RefusedError(StoreError):
    """The store cannot hold this: the name, the size or the kind is beyond it."""


class StateError(ReconcileError):
    """The state cannot be used as it is; it was left untouched."""


class LockedError(StateError):
    """Another run holds the lease; `holder` is its printable description."""

    exit_code = 6

    def __init__(self, message: str, *, holder: Any = None, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.holder = holder


class FencedError(StateError):
    """Our lease was broken or taken over: nothing more may be written under it."""

    exit_code = 6


class LineageError(StateError):
    """This state belongs to another family, or is older than its head says."""


class NewerStateError(StateError):
    """A newer version of the program wrote this state."""


class CorruptStateError(StateError):
    """The state is damaged."""
