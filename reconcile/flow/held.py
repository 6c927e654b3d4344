"""A lease with its heartbeat, and the runs that are begun under it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import TracebackType
from typing import Self

from msgspec import structs

from reconcile import __version__
from reconcile.flow.wired import Wired
from reconcile.ports import Lease, Run, StateStore
from reconcile.state.heartbeat import Heartbeat
from reconcile.state.lease import give_back
from reconcile.stores.wrap import Fenced


@dataclass(slots=True)
class Held:
    """A lease that is kept alive; leaves both behind in order."""

    lease: Lease
    heartbeat: Heartbeat

    def __enter__(self) -> Self:
        self.heartbeat.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.heartbeat.__exit__(kind, error, at)
        give_back(self.lease, error)

    def begin(self, state: StateStore, run: Run) -> Run:
        """Begins a run in our name; returns it with its number."""
        holder = self.lease.holder
        number = state.begin(structs.replace(run, who=holder.who, host=holder.host, version=__version__), self.lease)
        self.lease.renew(run=number)
        return structs.replace(run, id=number, who=holder.who, host=holder.host, version=__version__)

    def fenced(self, wired: Wired) -> Wired:
        """The mapping, its target changed only while the lease is ours."""
        return replace(wired, target=Fenced(wired.target, self.heartbeat.is_set))
