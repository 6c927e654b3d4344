"""A drawing as SVG: a band for each mapping, in it a column for each layer. Looks the same everywhere, runs nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape
from typing import Final

from msgspec import Struct

from reconcile.core.path import shown
from reconcile.report.drawing import Band, Node

_BOX: Final = 320
_HIGH: Final = 24
_GAP: Final = 60
_ROW: Final = 32
_TITLE: Final = 34
_LETTERS: Final = 42
"""Pixels, and how many letters of 7 pixels a box takes."""

_COLORS: Final = {
    "create": "#d8f5dd",
    "update": "#fff3c4",
    "delete": "#fbd5d5",
    "move": "#d6e8fb",
    "adopt": "#e8e8e8",
    "accept": "#e8e8e8",
    "forget": "#e8e8e8",
}
_HEAD: Final = """\
<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}"\
 font-family="monospace" font-size="12">
<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto">\
<path d="M0 0L8 4L0 8z" fill="#888"/></marker></defs>"""


class _Spot(Struct, frozen=True):
    """Where a box stands: its upper left corner."""

    node: Node
    x: int
    y: int


def svg(bands: Iterable[Band]) -> Iterator[str]:
    """The lines of an SVG document."""
    body: list[str] = []
    top, width = 0, _BOX
    for band in bands:
        spots = _placed(band, top + _TITLE)
        body += _band(band, spots, top)
        top = max((spot.y for spot in spots.values()), default=top) + _ROW + 10
        width = max(width, *(spot.x + _BOX + 10 for spot in spots.values()))
    yield _HEAD.format(width=width, height=max(top, _ROW))
    yield from body
    yield "</svg>"


def _placed(band: Band, top: int) -> dict[str, _Spot]:
    filled: dict[int, int] = {}
    spots = {}
    for node in band.nodes:
        row = filled[node.layer] = filled.get(node.layer, -1) + 1
        spots[node.id] = _Spot(node, 10 + node.layer * (_BOX + _GAP), top + row * _ROW)
    return spots


def _band(band: Band, spots: dict[str, _Spot], top: int) -> Iterator[str]:
    waits = f" (after {', '.join(band.waits_for)})" if band.waits_for else ""
    yield f'<text x="10" y="{top + 22}" font-weight="bold">{_text(band.mapping + waits)}</text>'
    for before, after in band.arrows:
        yield _arrow(spots[before], spots[after])
    for spot in spots.values():
        yield from _box(spot)


def _arrow(before: _Spot, after: _Spot) -> str:
    ends = f'x1="{before.x + _BOX}" y1="{before.y + _HIGH // 2}" x2="{after.x}" y2="{after.y + _HIGH // 2}"'
    return f'<line {ends} stroke="#888" marker-end="url(#tip)"/>'


def _box(spot: _Spot) -> Iterator[str]:
    label = shown(spot.node.label)
    told = label if len(label) <= _LETTERS else f"{label[: _LETTERS - 1]}…"
    fill = _COLORS.get(spot.node.kind, "#ffffff")
    yield f'<g><title>{_text(label)}</title><rect x="{spot.x}" y="{spot.y}" width="{_BOX}" height="{_HIGH}" rx="4"'
    yield f' fill="{fill}" stroke="#888"/><text x="{spot.x + 8}" y="{spot.y + 16}">{_text(told)}</text></g>'


def _text(text: str) -> str:
    return escape(shown(text))
