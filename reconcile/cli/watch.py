"""`reconcile watch`."""

from __future__ import annotations

from contextlib import suppress
import time
from typing import TYPE_CHECKING, Any

import click
from msgspec import Struct

from reconcile.cli.face import Face, global_options
from reconcile.cli.options import allow_options, allowed, lock_options, reach, reach_options, seconds
from reconcile.core.errors import UsageError

if TYPE_CHECKING:
    from reconcile.core.outcome import Result
    from reconcile.flow.watching import WatchOptions
    from reconcile.spec.model import Spec


@click.command("watch")
@click.option("--debounce", metavar="200ms", help="Wait until nothing changed for so long (as the spec says).")
@click.option("--resync", metavar="5m", help="Look at everything so often (as the spec says).")
@click.option("--dashboard", is_flag=False, flag_value="", metavar="HOST:PORT", help="Show it in a browser.")
@reach_options
@allow_options
@lock_options
@global_options
def command(face: Face, **flags: Any) -> int:
    """Plan and apply on every change until stopped; never asks."""
    return watch(face, None, **flags)


def watch(
    face: Face,
    spec: Spec | None,
    *,
    debounce: str | None = None,
    resync: str | None = None,
    dashboard: str | None = None,
    allow: tuple[str, ...] = (),
    allow_deletes: bool = False,
    mappings: tuple[str, ...] = (),
    paths: tuple[str, ...] = (),
    lock_timeout: str = "0s",
) -> int:
    """Watches until a signal; returns 0. Without `spec` it is the one the flags name, read again when it is edited."""
    from reconcile.flow.applying import ApplyOptions  # noqa: PLC0415 - the engine, only to run it
    from reconcile.flow.planning import PlanOptions  # noqa: PLC0415
    from reconcile.flow.watching import WatchOptions  # noqa: PLC0415

    if dashboard is not None:
        raise UsageError("the dashboard is not built yet", op="--dashboard", hint="reconcile watch --json tells all")
    planning = PlanOptions(allowed=allowed(allow, allow_deletes))
    options = WatchOptions(
        reach=reach(mappings, paths),
        apply=ApplyOptions(planning, seconds(lock_timeout, "--lock-timeout")),
        debounce_s=seconds(debounce, "--debounce") if debounce is not None else None,
        resync_s=seconds(resync, "--resync") if resync is not None else None,
    )
    return _run(face, spec, options)


def _run(face: Face, spec: Spec | None, options: WatchOptions) -> int:
    from reconcile.cli.running import as_run  # noqa: PLC0415 - as above
    from reconcile.cli.signals import interruptible  # noqa: PLC0415
    from reconcile.flow.applying import Hooks  # noqa: PLC0415
    from reconcile.flow.clock import RealClock  # noqa: PLC0415
    from reconcile.flow.watching import Surroundings, watch  # noqa: PLC0415

    told = _JsonLog(face) if face.json else _Log(face)
    around = Surroundings(reload=face.spec if spec is None else None, heard=told.result)
    with as_run(face), suppress(KeyboardInterrupt):
        hooks = Hooks(told, lambda _plan: True, RealClock(face.stop), face.stop, interruptible)
        watch(spec or face.spec(), options, hooks, around)
    return 0


class _Log:
    """A line for everything that happened, at once; what is only worth a number stays with the state."""

    def __init__(self, face: Face) -> None:
        self._face = face

    def __call__(self, event: Struct) -> None:
        from reconcile.report.screens import watch_line  # noqa: PLC0415 - help needs none

        line = watch_line(event, time.time(), color=self._face.color)
        if line is not None:
            self._face.say(line)
            self._face.flush()

    def result(self, result: Result) -> None:
        """Everything in it was said already."""


class _JsonLog:
    """Every event as a line of JSON, and after each pass that did or met anything its report."""

    def __init__(self, face: Face) -> None:
        from reconcile.cli.listeners import JsonLines  # noqa: PLC0415 - only for --json

        self._face = face
        self._lines = JsonLines(face)

    def __call__(self, event: Struct) -> None:
        self._lines(event)
        self._face.flush()

    def result(self, result: Result) -> None:
        """The report, if there is anything to report."""
        if result.run or result.exit_code:
            self._lines.report(result)
            self._face.flush()
