"""The order in which the changes of one mapping are begun: those that touch nobody else's keys, then the entangled."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from reconcile.core.change import Action, Change
from reconcile.core.graph import waves
from reconcile.flow.engine import Engine, Ledger
from reconcile.flow.step import Step


def run_early(engine: Engine, changes: Iterable[Change]) -> None:
    """Runs everything but the plain deletes, which come last: the independent first, then the entangled in waves."""
    entangled: list[Change] = []

    def independent() -> Iterator[Change]:
        for change in changes:
            if change.group or change.after or change.action is Action.MOVE:
                entangled.append(change)
            elif not is_late(change):
                yield change

    engine.run(independent())
    for wave in waves(entangled) if entangled else []:
        engine.run_units(list(_ready(wave, engine.step, engine.ledger)))


def is_late(change: Change) -> bool:
    """Whether a change waits for all others of its mapping."""
    return change.action is Action.DELETE and not change.group and not change.after


def _ready(wave: Sequence[Change], step: Step, ledger: Ledger) -> Iterator[list[Change]]:
    """The units of a wave that may run; what waits for something that did not happen is held back."""
    for unit in _units(wave):
        if ledger.undone.isdisjoint(before for change in unit for before in change.after):
            yield unit
        else:
            for change in unit:
                ledger.take(step.held(change, "held back: what it waits for did not happen"))


def _units(wave: Sequence[Change]) -> Iterator[list[Change]]:
    """The wave's changes, those of one group together."""
    groups: dict[int, list[Change]] = {}
    for change in wave:
        groups.setdefault(-change.group or change.id, []).append(change)
    return iter(groups.values())
