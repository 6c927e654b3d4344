"""The order of a plan's actions as boxes and arrows, in the languages of Graphviz and of Mermaid. Names are escaped."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final

from msgspec import Struct

from reconcile.core.change import SYMBOLS, Action, Change
from reconcile.core.counts import plural
from reconcile.core.path import shown
from reconcile.core.plan import Plan

MOST: Final = 500
"""A picture of more actions than this helps nobody; the rest of a mapping is one node."""


class Node(Struct, frozen=True):
    """One box: an action, the rest of a mapping, or the moment at which its deletes may begin (`wait`).

    Boxes of one `layer` (from 0) wait for nothing but lower layers.
    """

    id: str
    label: str
    layer: int
    kind: str


class Band(Struct, frozen=True):
    """One mapping: its boxes, the arrows (before, after) between them, and the mappings it waits for."""

    mapping: str
    nodes: list[Node]
    arrows: list[tuple[str, str]]
    waits_for: list[str]


def drawing(plan: Plan) -> list[Band]:
    """The actions of every mapping that has some; deletes come last, behind one box that stands for all the rest."""
    return [
        _Sketch(number).band(part.name, plan.changes(part.name), part.waits_for)
        for number, part in enumerate(plan.mappings)
        if part.counts.changes
    ]


class _Sketch:
    """The band of one mapping while it is drawn."""

    def __init__(self, number: int) -> None:
        self._prefix = f"m{number}"
        self._nodes: dict[str, Node] = {}
        self._arrows: list[tuple[str, str]] = []

    def band(self, mapping: str, changes: Iterable[Change], waits_for: list[str]) -> Band:
        """All of it."""
        shown_ones, left = _first(changes)
        awaited = {id_ for change in shown_ones for id_ in change.after}
        early: list[Change] = []
        late: list[Change] = []
        for change in shown_ones:
            is_late = change.action is Action.DELETE and not change.after and change.id not in awaited
            (late if is_late else early).append(change)
        for change in _in_order(early):
            self._add(change)
        if early and late:
            self._wait()
        for change in late:
            self._add(change, after=[f"{self._prefix}_wait"] if early else [])
        if left:
            self._put(Node(f"{self._prefix}_rest", f"… {plural(left, 'more action')}", 0, "rest"))
        return Band(mapping, list(self._nodes.values()), self._arrows, waits_for)

    def _add(self, change: Change, after: Iterable[str] = ()) -> None:
        before = [one for one in (*(f"{self._prefix}_{id_}" for id_ in change.after), *after) if one in self._nodes]
        layer = max((self._nodes[one].layer + 1 for one in before), default=0)
        self._put(Node(f"{self._prefix}_{change.id}", _label(change), layer, change.action.value), before)

    def _wait(self) -> None:
        before = list(self._nodes)
        layer = max(node.layer for node in self._nodes.values()) + 1
        self._put(Node(f"{self._prefix}_wait", "all of these first", layer, "wait"), before)

    def _put(self, node: Node, before: Iterable[str] = ()) -> None:
        self._nodes[node.id] = node
        self._arrows += [(one, node.id) for one in before]


def _first(changes: Iterable[Change]) -> tuple[list[Change], int]:
    """As many as a picture takes, and how many are left."""
    remaining = iter(changes)
    return list(islice(remaining, MOST)), sum(1 for _ in remaining)


def _in_order(changes: Iterable[Change]) -> Iterator[Change]:
    """Each behind all it waits for; in a circle, which runs as one unit, the lowest id goes first."""
    waiting = {change.id: change for change in changes}
    while waiting:
        ready = [one for one in waiting.values() if not any(id_ in waiting for id_ in one.after)]
        for change in ready or [waiting[min(waiting)]]:
            yield waiting.pop(change.id)


def _label(change: Change) -> str:
    came = f" (from {change.from_key})" if change.from_key else ""
    return f"{SYMBOLS[change.action]} {change.key}{came}"


def dot(bands: Iterable[Band]) -> Iterator[str]:
    """For Graphviz."""
    bands = list(bands)
    yield "digraph plan {"
    yield '  rankdir="LR"; node [shape="box", fontname="monospace"];'
    for number, band in enumerate(bands):
        yield f"  subgraph cluster_{number} {{"
        yield f"    label={_dotted(band.mapping)};"
        yield from (f"    {node.id} [label={_dotted(node.label)}];" for node in band.nodes)
        yield from (f"    {before} -> {after};" for before, after in band.arrows)
        yield "  }"
    yield from (f'  {before} -> {after} [style="dashed"];' for before, after in _between(bands))
    yield "}"


def _dotted(text: str) -> str:
    """Quoted; a backslash begins an escape there, so it is doubled."""
    return '"' + shown(text).replace("\\", "\\\\").replace('"', '\\"') + '"'


def mermaid(bands: Iterable[Band]) -> Iterator[str]:
    """For Markdown on GitHub and elsewhere."""
    bands = list(bands)
    yield "flowchart LR"
    for number, band in enumerate(bands):
        yield f"  subgraph s{number}[{_mermaid_text(band.mapping)}]"
        yield from (f"    {node.id}[{_mermaid_text(node.label)}]" for node in band.nodes)
        yield from (f"    {before} --> {after}" for before, after in band.arrows)
        yield "  end"
    yield from (f"  {before} -.-> {after}" for before, after in _between(bands))


def _mermaid_text(text: str) -> str:
    """Everything but letters, digits and what is harmless as an entity: a label can be HTML and Markdown there."""
    told = "".join(char if char.isalnum() or char in " ./-+~()" else f"#{ord(char)};" for char in shown(text))
    return f'"{told}"'


def _between(bands: list[Band]) -> Iterator[tuple[str, str]]:
    """From the last box of a mapping to the first of each that waits for it."""
    of = {band.mapping: band for band in bands}
    for band in bands:
        for name in band.waits_for:
            if name in of:
                yield max(of[name].nodes, key=lambda node: node.layer).id, band.nodes[0].id
