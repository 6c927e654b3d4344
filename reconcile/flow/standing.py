"""How each mapping stood when this machine last applied it: what `status` tells and no run has written down.

A run that finds nothing to do leaves no trace in the state, and a plan's conflicts stand nowhere; both are kept in the
disposable cache. Losing them costs `status` its newest word, nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from reconcile.core.errors import StoreError
from reconcile.core.outcome import Result
from reconcile.core.plan import MappingPlan, Plan
from reconcile.flow.rejects import put_aside
from reconcile.flow.wired import House
from reconcile.ports import Cache, Clock


class Standing(Struct, frozen=True):
    """Times in Unix seconds, 0.0 for never. `at`: when it was noted; `failing_since`: the first failure in a row.

    `rejects`: so many rows of its files lie put aside.
    """

    at: float = 0.0
    success: float = 0.0
    failing_since: float = 0.0
    conflicts: int = 0
    rejects: int = 0


def standing(cache: Cache, scope: str) -> Standing:
    """What was noted last of a scope."""
    raw = cache.get(_name(scope))
    return msgspec.json.decode(raw, type=Standing) if raw else Standing()


def note_result(house: House, plan: Plan, result: Result, now: float) -> None:
    """Notes how each mapping of the plan came out; one that was not planned as a whole, or destroyed, says nothing."""
    rejects = {wired.name: sum(count for *_, count in put_aside(house, wired)) for wired in house.mappings}
    for part in plan.mappings:
        if part.whole and plan.header.kind != "destroy":
            conflicts = len(part.conflicts) + _endings(part, result).count("conflict")
            _note(house.cache, part.scope, now, failed=_failed(part, result), conflicts=conflicts)
            noted = replace(standing(house.cache, part.scope), rejects=rejects.get(part.name, 0))
            house.cache.put(_name(part.scope), msgspec.json.encode(noted))


@contextmanager
def noting_failure(house: House, clock: Clock) -> Iterator[None]:
    """Notes it when a store answers so badly that the mappings cannot even be planned."""
    try:
        yield
    except StoreError:
        for wired in house.mappings:
            _note(house.cache, wired.scope.id, clock.now(), failed=True, conflicts=0)
        raise


def forget(house: House) -> None:
    """Nothing is known any more."""
    for wired in house.mappings:
        house.cache.put(_name(wired.scope.id), b"")


def _note(cache: Cache, scope: str, now: float, *, failed: bool, conflicts: int) -> None:
    before = standing(cache, scope)
    noted = replace(before, at=now, conflicts=conflicts, failing_since=(before.failing_since or now) if failed else 0.0)
    if not failed and not conflicts:
        noted = replace(noted, success=now)
    cache.put(_name(scope), msgspec.json.encode(noted))


def _failed(part: MappingPlan, result: Result) -> bool:
    unfinished = set(_endings(part, result)) - {"conflict"}
    return part.refused or bool(part.problems) or bool(unfinished) or (result.stopped and result.left > 0)


def _endings(part: MappingPlan, result: Result) -> list[str]:
    """How the mapping's actions ended that are not done."""
    return [one.outcome for one in result.outcomes if one.mapping == part.name and one.outcome != "done"]


def _name(scope: str) -> str:
    return f"standing:{scope}"
