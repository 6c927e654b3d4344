"""Order. The independent majority never comes here: only changes that touch each other's keys do.

Two things entangle changes. A move reads a key that another change writes: the reader goes first, and a circle of such
readers becomes one *group*, carried out as a unit through temporary names. And on a store where a file and a directory
cannot share a name, a file that takes a directory's place (or the reverse) must follow what stands there; it forms a
group with it, so that a failure can put back what was. The same holds where two keys stand for one *place*: a store may
have one name for both.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

from msgspec.structs import replace

from reconcile.core.change import Action, Change
from reconcile.core.path import parents

Place = Callable[[str], str]
"""The name that a key takes up in the store, or might; mostly the key itself."""


def entangle(changes: Sequence[Change], *, tree: bool, place: Place = str) -> list[Change]:
    """Gives `after` and `group` to the changes of one mapping that depend on each other.

    `changes` are only the candidates: moves, changes of keys a move reads, and (on a `tree` store) those where a file
    meets a directory. `after` names ids that must have succeeded first; a group is run as one unit, in order of ids.
    """
    after: dict[int, set[int]] = defaultdict(set)
    for before, later in (*_reads(changes), *(_replacements(changes, place) if tree else ())):
        after[later].add(before)
    groups = _groups(after, _replacement_units(changes, place) if tree else ())
    return [
        replace(change, after=tuple(sorted(after[change.id])), group=groups.get(change.id, 0))
        if change.id in after or change.id in groups
        else change
        for change in changes
    ]


def _reads(changes: Iterable[Change]) -> list[tuple[int, int]]:
    """(reader, writer): a move must have read its old key before another change writes there."""
    writers = {change.key: change.id for change in changes}
    return [
        (change.id, writers[change.from_key])
        for change in changes
        if change.from_key is not None and change.from_key in writers and writers[change.from_key] != change.id
    ]


def frees(change: Change) -> str | None:
    """The key that will hold nothing once the change is done, if any."""
    if change.action is Action.DELETE:
        return change.key
    return change.from_key if change.vacates else None


def _replacements(changes: Sequence[Change], place: Place) -> list[tuple[int, int]]:
    """(what goes, what comes): a file that comes below, above or at a place that is freed must wait for it."""
    freed, comers = defaultdict(list), defaultdict(list)
    for change in changes:
        if (key := frees(change)) is not None:
            freed[place(key)].append(change.id)
        if change.action in _COMES:
            comers[place(change.key)].append(change.id)
    pairs = []
    for change in changes:
        if change.action in _COMES:
            needed = (*parents(change.key), place(change.key))
            pairs += [(goer, change.id) for spot in needed for goer in freed.get(spot, ())]
        if (key := frees(change)) is not None:
            pairs += [(change.id, comer) for above in parents(key) for comer in comers.get(above, ())]
    return [(goer, comer) for goer, comer in pairs if goer != comer]


def meeting(freed: Collection[str], coming: Iterable[str], place: Place) -> set[str]:
    """The keys that come to a place that is freed, below it or above it, and with them all that are freed."""
    spots = {spot for key in freed for spot in (place(key), *parents(key))}
    places = {place(key) for key in freed}
    found = {key for key in coming if place(key) in spots or not places.isdisjoint(parents(key))} if freed else set()
    return found.union(freed) if found else found


_COMES = frozenset({Action.CREATE, Action.UPDATE, Action.MOVE})


def _groups(after: dict[int, set[int]], replacements: Iterable[tuple[int, int]]) -> dict[int, int]:
    """Ids that must run as one unit → the group's number: replacements with what they replace, and circles.

    Replacements are joined first: whatever then waits for itself, one change or a joined one, is a circle.
    """
    import networkx as nx  # noqa: PLC0415 - 150 ms that only entangled plans pay

    units: Any = nx.Graph()
    units.add_nodes_from(one for later, earlier in after.items() for one in (later, *earlier))
    units.add_edges_from(replacements)
    unit_of = {one: min(unit) for unit in nx.connected_components(units) for one in unit}
    waits = ((unit_of[before], unit_of[later]) for later, earlier in after.items() for before in earlier)
    graph: Any = nx.DiGraph(waits)
    for circle in nx.strongly_connected_components(graph):
        nx.add_path(units, sorted(circle))
    members = sorted(sorted(unit) for unit in nx.connected_components(units) if len(unit) > 1)
    return {one: number for number, unit in enumerate(members, start=1) for one in unit}


def _replacement_units(changes: Sequence[Change], place: Place) -> list[tuple[int, int]]:
    """Pairs that share a fate: a deleted file with one that comes below it, a file with the deletes in its place."""
    kinds = {change.id: change for change in changes}
    first: dict[int, int] = {}
    units = []
    for goer, comer in sorted(_replacements(changes, place)):
        if kinds[goer].action is not Action.DELETE:
            continue
        takes_directory = place(kinds[comer].key) in parents(kinds[goer].key)
        if takes_directory or first.setdefault(goer, comer) == comer:
            units.append((goer, comer))
    return units


def waves(changes: Iterable[Change]) -> list[list[Change]]:
    """The entangled changes in the order they can run: each wave needs only what came in waves before it.

    Members of one group stay together. Raises `ValueError` on a circle outside a group, which `entangle` never makes.
    """
    import networkx as nx  # noqa: PLC0415 - as above

    units: dict[int, list[Change]] = defaultdict(list)
    for change in changes:
        units[-change.group or change.id].append(change)
    unit_of = {change.id: unit for unit, members in units.items() for change in members}
    graph: Any = nx.DiGraph()
    graph.add_nodes_from(units)
    for unit, members in units.items():
        for change in members:
            graph.add_edges_from((unit_of[one], unit) for one in change.after if unit_of.get(one, unit) != unit)
    try:
        return [
            [change for unit in sorted(wave) for change in units[unit]] for wave in nx.topological_generations(graph)
        ]
    except nx.NetworkXUnfeasible as circle:
        message = "changes wait for each other in a circle"
        raise ValueError(message) from circle
