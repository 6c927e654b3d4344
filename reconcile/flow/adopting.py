"""Records what source and target have in common, and sends nothing."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from reconcile.core.change import Action, Change
from reconcile.core.counts import Counts
from reconcile.core.outcome import Result
from reconcile.core.plan import MappingPlan, Plan
from reconcile.flow.applying import ApplyOptions, Hooks, apply
from reconcile.flow.mending import leased
from reconcile.flow.planning import PlanOptions, make_plan
from reconcile.flow.settling import settle
from reconcile.flow.wired import House


def adopt(house: House, options: ApplyOptions, hooks: Hooks) -> Result:
    """Plans, leaves out all but the adoptions, and applies them; what differs stays a conflict."""
    with leased(house.state, options.operation, hooks.clock, timeout_s=options.lock_timeout_s) as lease:
        settle(house, lease)
    plan = make_plan(house, PlanOptions(kind="apply"), hooks.sink)
    return apply(house, only_adoptions(plan), options, hooks)


def only_adoptions(plan: Plan) -> Plan:
    """The same plan without anything that would touch a store."""

    def rows(mapping: str | None) -> Iterator[Change]:
        return (change for change in plan.changes(mapping) if change.action is Action.ADOPT)

    return Plan(replace(plan.header, mappings=[_part(part) for part in plan.mappings]), rows, origin=plan.origin)


def _part(part: MappingPlan) -> MappingPlan:
    counts = Counts(adopt=part.counts.adopt, unchanged=part.counts.unchanged)
    return replace(part, counts=counts, refusals=[], creates=[], notices=[], whole=False)
