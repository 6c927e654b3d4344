"""Whether a saved plan still fits: same family, same serials, same spec, same version, and the world as it saw it."""

from __future__ import annotations

from collections.abc import Iterator

from reconcile import __version__
from reconcile.core.change import Action, Change
from reconcile.core.entry import ABSENT, ANY, Entry, Kind, Version
from reconcile.core.errors import StalePlanError, StoreError
from reconcile.core.path import has_control, same_name, why_not_key
from reconcile.core.plan import FORMAT_VERSION, MappingPlan, Plan
from reconcile.flow.wired import House, Wired

LISTED_ABOVE = 500
"""A plan with more changes than this is compared with one listing instead of one question a path."""


def check_plan(house: House, plan: Plan) -> None:
    """Raises `StalePlanError`, naming the first thing that no longer fits; looks only."""
    header, state = plan.header, house.state
    for changed, why in (
        (header.format_version != FORMAT_VERSION, "it has another format"),
        (header.tool_version != __version__, f"version {header.tool_version} made it, this is {__version__}"),
        (header.lineage not in ("", state.lineage), "it belongs to another state (lineage)"),
        (header.spec != house.spec_digest, "the spec changed since"),
    ):
        if changed:
            raise _stale(why)
    if (run := state.consumed(plan.id)) is not None:
        raise _stale(f"run {run} used it already")
    wired_of = {wired.name: wired for wired in house.mappings}
    for part in plan.mappings:
        wired = wired_of.get(part.name)
        if wired is None or wired.scope.id != part.scope:
            raise _stale(f"the mapping {part.name} is not the one it was made for")
        if state.serial(part.scope) != part.serial:
            raise _stale(f"the state of {part.name} moved on (serial {part.serial} → {state.serial(part.scope)})")
        _check_world(wired, part, plan)


def _stale(why: str, path: str = "") -> StalePlanError:
    return StalePlanError(why, op="apply", path=path, hint="make a new one: reconcile plan --out FILE")


def _check_world(wired: Wired, part: MappingPlan, plan: Plan) -> None:
    """Every source the plan pins has its content, every target key its version."""
    versions = _versions(wired, part)
    for change in plan.changes(part.name):
        for key in (change.key, change.source_path, change.from_key or change.key):
            if why_not_key(key) or has_control(key):
                raise _stale("it holds a name that no plan has", key)
        _check_source(wired, change)
        for key, expected in _expected(wired, change):
            if _version(wired, key, versions) != expected:
                raise _stale("the target changed since", key)


def _versions(wired: Wired, part: MappingPlan) -> dict[str, Version] | None:
    """What the target holds, if one listing tells it best; nothing while it is still to be made; None: ask by path."""
    if part.creates and wired.target.ensure(dry=True):
        return {}
    if part.counts.changes <= LISTED_ABOVE:
        return None
    return {item.key: item.version for item in wired.target.list() if isinstance(item, Entry)}


def _expected(wired: Wired, change: Change) -> Iterator[tuple[str, Version]]:
    own_name = change.from_key is not None and same_name(change.key, change.from_key, wired.target.traits.key)
    if change.action is not Action.FORGET and change.expect != ANY and not own_name:
        yield change.key, change.expect
    if change.from_key is not None:
        yield change.from_key, change.from_version


def _version(wired: Wired, key: str, versions: dict[str, Version] | None) -> Version:
    if versions is not None:
        return versions.get(key, ABSENT)
    entry = wired.target.stat(key)
    return entry.version if entry is not None and entry.kind is not Kind.DIRECTORY else ABSENT


def _check_source(wired: Wired, change: Change) -> None:
    if change.source_version == ABSENT or change.action not in (Action.CREATE, Action.UPDATE, Action.MOVE):
        return
    try:
        entry = wired.reader.stat(change.source_path)
        if entry is None:
            raise _stale("the source is gone since", change.source_path)
        if (
            entry.version != change.source_version
            and wired.reader.hashes(change.source_path, entry.version).sha256 != change.digest
        ):
            raise _stale("the source changed since", change.source_path)
    except StoreError as error:
        raise _stale(f"the source cannot be read: {error.message}", change.source_path) from error
