"""A plan as Markdown that fits one GitHub comment: the summary as the headline, a table per group.

Nothing in a name can become markup, a link or a mention: it stands in a code span, or where even that could be
broken out of, in `<code>` with every doubtful character as an entity.
"""

from __future__ import annotations

from collections import Counter
import re
from typing import Final

from reconcile.core.counts import size_text
from reconcile.core.path import shown
from reconcile.core.plan import Plan
from reconcile.report.document import document
from reconcile.report.model import Group, Line, More, Refused, Section
from reconcile.report.words import more_text

COMMENT_BYTES: Final = 65_536
"""What a GitHub comment holds in characters; counted here in bytes of UTF-8, which are never fewer."""

_FOR_ROWS: Final = 0.75
"""The share of the room that rows may fill: the rest is kept for what must not be lost, the verdicts of the guards."""

_LAST_WORDS: Final = 600
_TABLE: Final = "| | path | size | why |\n|---|---|---:|---|"
_PLAIN: Final = re.compile(r"(?!.*(?:://|www\.))[A-Za-z0-9 ,.:;()'%/=|…→-]*")
_FRAGILE: Final = re.compile(r"[`|]|^ | $|^$")
_GAP: Final = re.compile(r"\n{3,}")
_DOUBTFUL: Final = re.compile(r"[^A-Za-z0-9 ./,=-]")


def plan_markdown(plan: Plan, *, full: bool = False, limit: int = COMMENT_BYTES) -> str:
    """The plan as one text of at most `limit` bytes; what does not fit is counted. `full`: no cut before that."""
    told, page = document(plan, full=full), _Page(limit)
    page.say(f"### {told.summary}")
    if told.legend:
        page.say(" · ".join(f"{code(symbol)} {word}" for symbol, word in told.legend))
    for note in told.notes:
        page.say(prose(note))
    for section in told.sections:
        _section(section, page)
    return page.end()


class _Page:
    """Text that never outgrows its room; what finds none is counted."""

    def __init__(self, limit: int) -> None:
        self._parts: list[str] = []
        self._used = 0
        self._most = limit - _LAST_WORDS
        self._rows_fit = True
        self.left_out: Counter[str] = Counter()

    def say(self, paragraph: str) -> None:
        """Adds a paragraph."""
        if not self._add(f"{paragraph}\n\n", self._most) and paragraph:
            self.left_out["paragraphs"] += 1

    def row(self, row: str, kind: str) -> None:
        """Adds a row of the table that was begun last; after the first that does not fit, none is added."""
        self._rows_fit = self._rows_fit and self._add(f"{row}\n", int(self._most * _FOR_ROWS))
        if not self._rows_fit:
            self.left_out[kind] += 1

    def _add(self, text: str, most: int) -> bool:
        size_bytes = len(text.encode())
        if self._used + size_bytes > most:
            return False
        self._parts.append(text)
        self._used += size_bytes
        return True

    def end(self) -> str:
        """The whole text, with a last word about what found no room."""
        if self.left_out:
            told = more_text(self.left_out)
            self._parts.append(f"\n… {told}: more than fits here, `reconcile plan --full` shows all\n")
        return _GAP.sub("\n\n", "".join(self._parts)).rstrip("\n") + "\n"


def _section(section: Section, page: _Page) -> None:
    page.say(f"#### {prose(section.name)}")
    if section.refused is not None:
        page.say(_refused(section.refused))
    facts = [f"- {prose(note)}" for note in section.notes]
    page.say("\n".join([f"{code(section.source)} → {code(section.target)}\n", *facts]))
    for group in section.groups:
        _group(group, page)


def _refused(refused: Refused) -> str:
    lines = [f"> **{prose(sentence)}**" for sentence in refused.sentences]
    return "\n>\n".join(lines + [f"> {what}: {code(way)}" for what, way in refused.ways])


def _group(group: Group, page: _Page) -> None:
    begun = False
    hints: dict[str, None] = {}
    for line in group.lines:
        if isinstance(line, More):
            page.say(f"\n… {more_text(line.counts)}")
            continue
        if not begun:
            begun = True
            page.row((f"**{prose(group.heading)}**\n\n" if group.heading else "") + _TABLE, "tables")
        page.row(_row(line), line.kind)
        if line.hint:
            hints[line.hint] = None
    page.say("")
    for hint in (*hints, *[group.advice] * bool(group.advice)):
        page.say(prose(hint))


def _row(line: Line) -> str:
    size = size_text(line.size) if line.size is not None else ""
    return (
        f"| {code(line.symbol)} | {code(line.key)} | {size} | {'<br>'.join(map(prose, (line.reason, *line.details)))} |"
    )


def code(text: str) -> str:
    """Any text as a piece of code, also inside a table."""
    spelled = shown(text)
    return f"`{spelled}`" if not _FRAGILE.search(spelled) else f"<code>{_entities(spelled)}</code>"


def prose(text: str) -> str:
    """A sentence as it is, if it holds nothing but harmless characters; else as code."""
    return text.replace("|", "&#124;") if _PLAIN.fullmatch(text) else code(text)


def _entities(text: str) -> str:
    return _DOUBTFUL.sub(lambda found: f"&#{ord(found[0])};", text)
