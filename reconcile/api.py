"""The library: what `import reconcile` offers to programs.

::

    spec = reconcile.load_spec("reconcile.yaml")
    plan = reconcile.plan(spec)
    print(plan.counts.as_dict())
    report = reconcile.apply(plan)
    assert report.exit_code == 0, report.outcomes

Functions raise only when nothing was tried (`ReconcileError` and what is below it in `reconcile.core.errors`); what
happened to single paths, good or bad, stands in what they return. Sizes are bytes, times are Unix seconds, paths are
text with `/` between their parts, relative to the root of their mapping.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import zip_longest
import os
from pathlib import Path
import threading
import time
from typing import Any

from msgspec import Struct, structs

from reconcile.core.change import Change
from reconcile.core.errors import StalePlanError, UsageError
from reconcile.core.outcome import Result
from reconcile.core.plan import Plan as PlanValue
from reconcile.ports import Clock, Sink
from reconcile.report.views import Status
from reconcile.spec.model import Spec as SpecValue

Listener = Callable[[Any], None]
"""Hears events (`reconcile.core.events`), one at a time, from the threads that work."""


class Plan(PlanValue):
    """What would be done and why: a value that can be read again and again, saved, and applied exactly as it is.

    `.mappings` (per mapping: `.name .counts .conflicts .problems .refusals`), `.changes()` (a fresh iterator of
    `Change`: `.id .mapping .action .key .reason .size …`), `.counts`, `.conflicts`, `.problems`, `.refusals`, `.id`,
    `.exit_code()`.
    """

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the plan to a new file, for `load_plan` and `reconcile apply FILE`.

        Every new content is read for its digest, so that what is applied later is exactly this plan. `StalePlanError`
        when the plan is not what it would be now; `UsageError` when something is there already or cannot be written.
        """
        from reconcile.state.planfile import save_plan  # noqa: PLC0415 - most plans are never saved

        save_plan(self if self.pinned else _pinned(self), os.fspath(path))


def load_spec(
    path: str | os.PathLike[str] = ".",
    *,
    variables: Mapping[str, str] | None = None,
    clients: Mapping[str, Any] | None = None,
) -> SpecValue:
    """The spec in a file, or in the `reconcile.yaml` of a directory; relative paths in it hang on that directory.

    `variables` override those of the spec (`${var.NAME}`). `clients` are ready clients by the name of their store in
    `stores:`, as a `WorkspaceClient` of the Databricks SDK. `SpecError` with all its problems, each as
    ``file:line:column: pointer: message``; `UsageError` when there is no such file, or no such store.
    """
    from reconcile.flow.specs import load  # noqa: PLC0415 - every function brings what it needs

    where = Path(path)
    directory, file = (where, None) if where.is_dir() else (where.parent, where.name)
    return _with(clients or {}, load(str(directory), file, variables))


def _with(clients: Mapping[str, Any], spec: SpecValue) -> SpecValue:
    """The spec with clients in its stores; what it asks for, its digest, is the same."""
    if unknown := sorted(set(clients) - set(spec.stores)):
        raise UsageError(f"there is no store `{unknown[0]}`", op="clients", hint=f"stores: {', '.join(spec.stores)}")
    given = {name: structs.replace(spec.stores[name], client=client) for name, client in clients.items()}
    return structs.replace(spec, stores={**spec.stores, **given}) if given else spec


def Spec(  # noqa: N802 - called like the thing it makes
    mappings: Mapping[str, Mapping[str, Any]],
    *,
    root: str | os.PathLike[str] = ".",
    clients: Mapping[str, Any] | None = None,
    **settings: Any,
) -> SpecValue:
    """A spec built in code, of the same words and with the same checks as a file.

    `mappings` are name → settings (`{"docs": {"source": "./docs", "target": "s3://acme/docs"}}`), `settings` the other
    words of the top (`state=`, `stores=`, `defaults=`, `variables=`, `watch=`, `notify=`). Relative paths hang on
    `root`; `clients` as in `load_spec`. `SpecError` with all its problems.
    """
    from reconcile.spec.load import build  # noqa: PLC0415 - as above

    return _with(clients or {}, build({"mappings": mappings, **settings}, root=os.fspath(root)))


def plan(
    spec: SpecValue,
    *,
    allow: Collection[str] = (),
    mapping: str | Collection[str] | None = None,
    on_event: Listener | None = None,
) -> Plan:
    """What `apply` would do now. Changes nothing, holds nothing open.

    `allow` are permissions for the guards, as `deletes` or `deletes:docs`. `mapping` names the one or the ones to plan
    (all of them by default).

    `NotFoundError` when a source, or a target that may not be made, is missing; `PlanError` when the spec contradicts
    itself; `StoreError` when a store cannot be listed at all. Single unreadable paths stand in `.problems`.
    """
    names = (mapping,) if isinstance(mapping, str) else tuple(mapping or ())
    return _planned(spec, names, tuple(allow), _sink(on_event), pinned=False)


def _planned(spec: SpecValue, names: Sequence[str], allow: Sequence[str], sink: Sink, *, pinned: bool) -> Plan:
    from reconcile.flow.planning import PlanOptions, make_plan  # noqa: PLC0415 - as above
    from reconcile.flow.settling import overlay, stopped_run  # noqa: PLC0415
    from reconcile.flow.wire import Reach, wire  # noqa: PLC0415

    with wire(spec, write=False, clock=_clock(), reach=Reach(tuple(names))) as house:
        stopped = stopped_run(house)
        options = PlanOptions(
            allowed=allow,
            pinned=pinned,
            overlay=overlay(house),
            open_run=(stopped.id, stopped.done, stopped.total) if stopped else (0, 0, 0),
        )
        made = make_plan(house, options, sink)
    return Plan(made.header, made.changes, pinned=pinned, origin=spec)


def _pinned(plan: PlanValue) -> PlanValue:
    """The same plan with the digest of every new content; `StalePlanError` when it would not be the same any more."""
    names = [part.name for part in plan.mappings]
    fresh = _planned(_spec_of(plan), names, plan.header.allowed, _sink(None), pinned=True)
    pairs = zip_longest(plan.changes(), fresh.changes())
    if fresh.header != plan.header or not all(_says_the_same(old, new) for old, new in pairs):
        raise StalePlanError("the world changed since it was made", op="save", hint="plan again")
    return fresh


def _says_the_same(old: Change | None, new: Change | None) -> bool:
    if old is None or new is None:
        return False
    return new == old or structs.replace(new, digest=old.digest) == old


def load_plan(path: str | os.PathLike[str], spec: SpecValue | None = None) -> Plan:
    """A saved plan. Without `spec` it is applied with the spec file it was made from, read again then.

    `UsageError` when the file is no plan, `StalePlanError` when it was edited after it was saved.
    """
    from reconcile.state.planfile import load_plan as load  # noqa: PLC0415 - as above

    saved = load(os.fspath(path))
    return Plan(saved.header, saved.changes, pinned=True, origin=spec, plan_id=saved.id)


def apply(
    plan: PlanValue,
    *,
    select: Callable[[Change], bool] | Collection[int] | None = None,
    on_event: Listener | None = None,
    stop: threading.Event | None = None,
    lock_timeout: float = 0.0,
) -> Result:
    """Does exactly what the plan says, or refuses.

    `select` chooses changes by id, or by a function of the `Change`; the others are left for another time. A set `stop`
    ends the run cleanly: what was begun is finished and recorded. `lock_timeout`: seconds to wait for another run.

    Returns `.success_count .skip_count .failure_count` (paths), `.total_bytes`, `.seconds`, `.counts` (by action),
    `.outcomes` (a list of `Outcome`), `.conflicts`, `.problems`, `.refusals`, `.left`, and `.exit_code`, which means
    what it means on the command line. `StalePlanError` when the plan no longer fits the world, `LockedError` while
    another run holds the state.
    """
    from reconcile.flow.applying import ApplyOptions, Hooks  # noqa: PLC0415 - as above
    from reconcile.flow.applying import apply as run  # noqa: PLC0415
    from reconcile.flow.wire import Reach, wire  # noqa: PLC0415

    stop = stop or threading.Event()
    hooks = Hooks(_sink(on_event), lambda made: _chosen(made, select), _clock(stop), stop)
    names = tuple(part.name for part in plan.mappings)
    with wire(_spec_of(plan), write=True, clock=hooks.clock, reach=Reach(names)) as house:
        return run(house, plan, ApplyOptions(lock_timeout_s=lock_timeout), hooks)


def watch(
    spec: SpecValue,
    *,
    stop: threading.Event,
    allow: Collection[str] = (),
    on_event: Listener | None = None,
    on_result: Callable[[Result], None] | None = None,
) -> None:
    """Plans and applies on every change of the sources until `stop` is set; returns within 100 ms when it is idle.

    Failures are events (`Warn`), tried again later each time. `on_result` gets the result of every pass. `UsageError`
    when the spec asks for what cannot be watched.
    """
    from reconcile.flow import watching  # noqa: PLC0415 - as above
    from reconcile.flow.applying import ApplyOptions, Hooks  # noqa: PLC0415
    from reconcile.flow.planning import PlanOptions  # noqa: PLC0415

    options = watching.WatchOptions(apply=ApplyOptions(PlanOptions(allowed=tuple(allow))))
    hooks = Hooks(_sink(on_event), lambda _plan: True, _clock(stop), stop)
    watching.watch(spec, options, hooks, watching.Surroundings(heard=on_result or (lambda _result: None)))


def status(spec: SpecValue) -> Status:
    """How everything stands, from what is remembered; asks no store.

    `.now`, `.mappings` (`.name .last_success .failing_since .last_run .conflicts .records`; times are 0.0 for never),
    `.lock` (who holds it, or None), `.last` (the newest `Run`, or None), `.orphans` (target, paths).
    """
    from reconcile.flow.looking import status as look  # noqa: PLC0415 - as above
    from reconcile.flow.wire import wire  # noqa: PLC0415

    with wire(spec, write=False, clock=_clock()) as house:
        return look(house, time.time())


def reset(spec: SpecValue, *, confirm: bool) -> int:
    """Forgets the state and the control files in the targets, never the data; returns how many control files went.

    `confirm` must be True, else `UsageError`: what is equal has to be adopted again, and what is not is a conflict.
    """
    from reconcile.flow.mending import reset as forget  # noqa: PLC0415 - as above
    from reconcile.flow.wire import wire  # noqa: PLC0415

    if confirm is not True:
        raise UsageError("forgets all that is remembered", op="reset", hint="reset(spec, confirm=True)")
    with wire(spec, write=True, clock=_clock()) as house:
        return forget(house, _clock())


def rollback(
    spec: SpecValue,
    run: int | None = None,
    *,
    mapping: str | Collection[str] | None = None,
    hold: bool = True,
    on_event: Listener | None = None,
    stop: threading.Event | None = None,
    lock_timeout: float = 0.0,
) -> Result:
    """Undoes a run, by default the newest that changed a target, as far as old bytes are kept.

    Nothing that changed after the run is touched. In the result `.undoes` is the run, `.hold` the id of the hold that
    is left so that no scheduled apply does it all again (`hold=False`: none), and each of `.outcomes` says in `.reason`
    what became of its path: `restored` (its bytes were read back and compared), `removed`, `unchanged`, `kept` (changed
    since) or `cannot` (`.error` says why). `.exit_code` is 7 when something was kept or could not come back.

    `UsageError` when there is no such run; `LockedError` while another run holds the state.
    """
    from reconcile.flow.rollback import RollbackHooks, RollbackOptions  # noqa: PLC0415 - as above
    from reconcile.flow.rollback import rollback as undo  # noqa: PLC0415
    from reconcile.flow.wire import Reach, wire  # noqa: PLC0415

    names = (mapping,) if isinstance(mapping, str) else tuple(mapping or ())
    hooks = RollbackHooks(_sink(on_event), lambda _plan: True, _clock(), stop or threading.Event())
    with wire(spec, write=True, clock=hooks.clock, reach=Reach(names)) as house:
        return undo(house, RollbackOptions(run, lock_timeout, hold), hooks)


def get_supported_stores() -> dict[str, str]:
    """Every scheme that can be opened → in words what it is, plug-ins included."""
    from reconcile.stores.registry import supported  # noqa: PLC0415 - as above

    return supported()


def _spec_of(plan: PlanValue) -> SpecValue:
    """The spec a plan was made from: kept with it, or in the file it names."""
    if isinstance(plan.origin, SpecValue):
        return plan.origin
    if not plan.header.spec_file:
        raise UsageError("the plan was made from a spec built in code", op="apply", hint="load_plan(path, spec=…)")
    return load_spec(plan.header.spec_file)


def _chosen(plan: PlanValue, select: Callable[[Change], bool] | Collection[int] | None) -> Collection[int] | bool:
    if select is None:
        return True
    if callable(select):
        return {change.id for change in plan.changes() if select(change)}
    return set(select)


def _clock(stop: threading.Event | None = None) -> Clock:
    from reconcile.flow.clock import RealClock  # noqa: PLC0415 - as above

    return RealClock(stop)


def _sink(on_event: Listener | None) -> Sink:
    def hear(event: Struct) -> None:
        if on_event is not None:
            on_event(event)

    return hear
