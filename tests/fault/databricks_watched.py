"""A Databricks workspace that watches what is done to it, and says after each change what should never have been."""

from __future__ import annotations

from collections.abc import Collection, Mapping
import threading
from typing import Any

from reconcile.core.path import has_control
from tests.fakes.databricks import Emulator, Habits, Limits
from tests.fakes.databricks.faults import about
from tests.fakes.databricks.wire import Answer, Request

BEGAN_S = 1_700_000_000.0


class Ticking:
    """A clock that goes on by half a second whenever it is looked at to answer a request."""

    def __init__(self) -> None:
        self.now = BEGAN_S

    def __call__(self) -> float:
        return self.now


class WatchedDatabricks(Emulator):
    """`precious` contents exist at every moment, `whole` paths hold one of their contents, all outside stays as it is.

    Below `target` is the only place that may be changed; paths `beside` it stay. `strangers` are the paths that
    somebody else touched during the run, with what he left there. `gaps`: a path may be free for a moment, as where a
    replacement is two moves.
    """

    def __init__(self, target: str, *, limits: Limits | None = None, habits: Habits | None = None) -> None:
        self.clocked = Ticking()
        super().__init__(clock=self.clocked, limits=limits, habits=habits)
        self.target, self.prefix, self.gaps = target, f"{target}/", target.startswith("dbfs:")
        self.precious: Collection[bytes] = ()
        self.whole: Mapping[str, Collection[bytes]] = {}
        self.strangers: dict[str, bytes | None] = {}
        self.wrongs: list[str] = []
        self.beside: set[str] = set()
        self.after = self._look
        self._watching = threading.Lock()

    def pass_time(self, seconds: float = 60) -> None:
        """Time goes by."""
        self.clocked.now += seconds

    def heal(self) -> None:
        """All faults are over."""
        self.faults.heal()

    def kept(self) -> tuple[float, Any]:  # type: ignore[override]
        """The time, and a copy of all files, for `restore`."""
        return self.clocked.now, super().kept()

    def restore(self, kept: tuple[float, Any]) -> None:  # type: ignore[override]
        """All as it was then."""
        self.clocked.now, files = kept
        super().restore(files)
        self.strangers.clear()
        self.wrongs.clear()

    def contents(self) -> dict[str, bytes]:
        """Every file's bytes by its path."""
        return self.tree()

    def intrude(self, path: str, data: bytes | None) -> None:
        """Somebody else writes, or with None deletes; our own notes are not his."""
        if has_control(path.removeprefix(self.target).strip("/")):
            return
        there = self.tree()
        gone = there.get(path)
        if gone is not None:
            self.precious = [content for content in self.precious if content != gone]
        if data is None and gone is None:
            return
        self.pass_time(5)
        if data is None:
            self.remove(path)
        else:
            self.put(path, data)
        self.strangers[path] = data

    def shown(self) -> dict[str, bytes]:
        """What a reader finds below the target."""
        below = {path.removeprefix(self.prefix): data for path, data in self.tree(self.prefix).items()}
        return {key: data for key, data in below.items() if not has_control(key)}

    def _look(self, request: Request, answer: Answer) -> None:
        """After the work of each request."""
        with self._watching:
            self.pass_time(0.5)
            if request.method in ("GET", "HEAD") or answer.status >= 400:
                return
            there = self.tree()
            when = f"after {request.method} {request.path} {about(request)}"
            held = set(there.values())
            self.wrongs += [f"{when}: the last copy of {lost!r} is gone" for lost in self.precious if lost not in held]
            for path, wanted in self.whole.items():
                found = there.get(path)
                if path not in self.strangers and not (found is None and self.gaps) and found not in wanted:
                    self.wrongs.append(f"{when}: {path} holds {found!r}, neither old nor new")
            beside = {path for path in there if not path.startswith(self.prefix)}
            if beside != self.beside:
                self.wrongs.append(f"{when}: {beside ^ self.beside} is none of ours")


def place_of(request: Request) -> str:
    """What a request is about, as the emulator's own paths have it."""
    path = about(request)
    if request.path.startswith("/api/2.0/dbfs"):
        return f"dbfs:{path}"
    if request.path.startswith("/api/2.0/workspace"):
        return "/Workspace" + path.removeprefix("/Workspace")
    return "/Volumes" + path.partition("/Volumes")[2]
