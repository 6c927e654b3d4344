"""A plan as one self-contained page: no script, no outside resource, light and dark; the legend filters the rows."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Final

from reconcile.core.change import Action
from reconcile.core.counts import size_text
from reconcile.core.path import shown
from reconcile.core.plan import Plan
from reconcile.report.document import document
from reconcile.report.model import Document, Group, Line, More, Refused, Section
from reconcile.report.words import more_text

_KINDS: Final = (*(action.value for action in Action), "conflict", "unreadable")
_FILTERS: Final = "\n".join(f"body:has(#show-{kind}:not(:checked)) tr.{kind} {{ display: none }}" for kind in _KINDS)
_STYLE: Final = (
    """
:root { color-scheme: light dark; --line: light-dark(#d8dee4, #30363d); --soft: light-dark(#57606a, #8b949e) }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 75rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.3rem } nav label { margin-right: 1rem; white-space: nowrap }
details { border: 1px solid var(--line); border-radius: 6px; margin: .8rem 0; padding: .5rem .9rem }
summary { cursor: pointer; font-weight: 600 } summary span, .soft { color: var(--soft); font-weight: 400 }
table { border-collapse: collapse; width: 100% } td { padding: .15rem .6rem; border-top: 1px solid var(--line) }
td:nth-child(3) { text-align: right; white-space: nowrap } td:first-child { width: 1rem; text-align: center }
code { font: 13px/1.5 ui-monospace, monospace; overflow-wrap: anywhere; white-space: pre-wrap; unicode-bidi: isolate }
tr.create td:first-child { color: light-dark(#1a7f37, #3fb950) } tr.update td:first-child { color: #bf8700 }
tr.delete td:first-child, tr.conflict td:first-child, .refused { color: light-dark(#cf222e, #f85149) }
.refused { border-left: 4px solid; padding-left: .8rem }
"""
    + _FILTERS
)
_HEAD: Final = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>reconcile plan</title>
<style>{_STYLE}</style>
</head>
<body>
"""


def plan_html(plan: Plan, *, full: bool = False) -> Iterator[str]:
    """The page in pieces, in order; `full`: without cuts."""
    told = document(plan, full=full)
    yield _HEAD
    yield f"<h1>{_text(told.summary)}</h1>\n"
    yield from (f"<p>{_text(note)}</p>\n" for note in told.notes)
    if told.legend:
        yield _legend(told)
    for section in told.sections:
        yield from _section(section)
    yield "</body>\n</html>\n"


def _legend(told: Document) -> str:
    labels = [
        f'<label><input type="checkbox" id="show-{kind}" checked> <code>{_text(symbol)}</code> {kind}</label>'
        for symbol, words in told.legend
        for kind in words.split(" or ")
    ]
    return f"<nav>{' '.join(labels)}</nav>\n"


def _section(section: Section) -> Iterator[str]:
    where = f"<code>{_text(section.source)}</code> → <code>{_text(section.target)}</code>"
    yield f"<details open>\n<summary>{_text(section.name)} <span>{where}</span></summary>\n"
    if section.refused is not None:
        yield _refused(section.refused)
    if section.notes:
        yield f"<ul>{''.join(f'<li>{_text(note)}</li>' for note in section.notes)}</ul>\n"
    for group in section.groups:
        yield from _group(group)
    yield "</details>\n"


def _refused(refused: Refused) -> str:
    told = "<br>".join(_text(sentence) for sentence in refused.sentences)
    ways = "".join(f"<br>{_text(what)}: <code>{_text(way)}</code>" for what, way in refused.ways)
    return f'<p class="refused">{told}{ways}</p>\n'


def _group(group: Group) -> Iterator[str]:
    if group.heading:
        yield f"<details open>\n<summary>{_text(group.heading)}</summary>\n"
    yield "<table>\n"
    for line in group.lines:
        yield _row(line) if isinstance(line, Line) else _more(line)
    yield "</table>\n"
    if group.advice:
        yield f'<p class="soft">{_text(group.advice)}</p>\n'
    if group.heading:
        yield "</details>\n"


def _row(line: Line) -> str:
    size = size_text(line.size) if line.size is not None else ""
    hint = f'<br><span class="soft">{_text(line.hint)}</span>' if line.hint else ""
    details = "".join(f"<br>{_text(detail)}" for detail in line.details)
    return (
        f'<tr class="{line.kind}"><td><code>{_text(line.symbol)}</code><td><code>{_text(line.key)}</code>'
        f"<td>{size}<td>{_text(line.reason)}{details}{hint}\n"
    )


def _more(more: More) -> str:
    return f'<tr><td><td colspan="3" class="soft">… {more_text(more.counts)} (--full shows all)\n'


def _text(text: str) -> str:
    return escape(shown(text))
