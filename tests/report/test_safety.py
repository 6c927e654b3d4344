"""Names that try to be more than names: no rendering lets one through."""

from __future__ import annotations

from html import unescape
from html.parser import HTMLParser
import re
import unicodedata

from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
import pytest

from reconcile.core.change import Action, Conflict, Reason
from reconcile.core.entry import Problem
from reconcile.core.outcome import Outcome, Result
from reconcile.core.path import shown
from reconcile.report.html import plan_html
from reconcile.report.json import report_line, write_plan
from reconcile.report.markdown import code, plan_markdown, prose
from reconcile.report.screens import conflict_lines
from reconcile.report.tables import ls_lines, run_lines
from reconcile.report.text import plan_lines, result_lines
from reconcile.report.undone import rollback_lines
from reconcile.report.views import Undone
from tests.report.samples import NASTY, NOW, a_run, change, listing, plan_of

names = st.one_of(
    st.sampled_from(NASTY),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=20),
    st.text("`|\\<>&@#[]()!*_~: \n\x1b'\"$a/", min_size=1, max_size=12),
)
_CI = re.compile(r"^\s*::\w|##\[|##vso\[", re.MULTILINE)


def _plan(name):
    return plan_of(
        change(1, Action.CREATE, name, Reason.NEW, size=1),
        change(2, Action.MOVE, f"{name}2", Reason.RENAMED, from_key=name),
        change(3, Action.UPDATE, f"{name}3", Reason.DRIFTED, drift=True),
        conflicts=[Conflict("docs", name, Reason.BOTH_CHANGED, detail=name)],
        problems=[Problem(name, name, hint=f"see {name}")],
        notices=[f"skipped {name}"],
        last_run=41,
    )


def _result(name):
    failed = Outcome(1, "docs", "update", name, "failed", error=name, hint=f"see {name}", from_key=name)
    return Result(run=1, outcomes=[failed], problems=[Problem(name, name)], exit_code=7)


def _texts(name):
    result, plan = _result(name), _plan(name)
    yield "\n".join(plan_lines(plan, full=True))
    yield "\n".join(result_lines(plan, result))
    yield "\n".join(run_lines(a_run(), result.outcomes))
    yield "\n".join(ls_lines([*listing(), *result.problems]))
    yield "\n".join(conflict_lines(plan))
    yield "\n".join(rollback_lines([Undone("docs", name, "cannot", name)]))
    yield plan_markdown(plan)
    yield "".join(plan_html(plan))
    yield report_line(result, 1, NOW)
    pieces = []
    write_plan(plan, pieces.append)
    yield "".join(pieces)


@pytest.mark.hazard("S08", "N06")
@given(names)
def test_no_rendering_holds_what_a_terminal_or_a_ci_runner_would_obey(name):
    for text in _texts(name):
        lines = text.replace("\n", "")
        odd = {char for char in lines if unicodedata.category(char) in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")}
        assert odd == set()
        if not text.startswith("{"):
            assert not _CI.search(text)


@pytest.mark.hazard("S08")
def test_coloured_text_holds_no_codes_but_ours():
    for name in NASTY:
        for line in plan_lines(_plan(name), color=True):
            assert "\x1b" not in re.sub(r"\x1b\[[0-9;]+m", "", line)
            assert set(re.findall(r"\x1b\[[0-9;]+m", line)) <= {f"\x1b[{c}m" for c in _CODES}


_CODES = ("0", "1", "1;31", "32", "33", "31", "36", "34", "90", "35")


def _tokens(text):
    tokens = MarkdownIt("commonmark", {"html": True}).enable("table").parse(text)
    return [child for token in tokens for child in (token.children or [token])]


@given(names)
def test_markdown_shows_the_name_and_nothing_becomes_markup(name):
    told = shown(name)
    row = f"| + | {code(name)} | 1 B | {prose(name)} |"
    text = f"| | path | size | why |\n|---|---|---:|---|\n{row}\n\nafter {prose(name)}\n"
    tokens = _tokens(text)
    assert sum(token.type == "td_open" for token in tokens) == 4
    assert not {token.type for token in tokens} & {
        "link_open",
        "image",
        "em_open",
        "strong_open",
        "html_block",
        "heading_open",
    }
    assert all(token.content in ("<code>", "</code>") for token in tokens if token.type == "html_inline")
    cells = re.findall(r"<td[^>]*>(.*?)</td>", MarkdownIt("commonmark").enable("table").render(text), re.DOTALL)
    assert unescape(re.sub(r"</?code>", "", cells[1])) == told


@given(names)
def test_no_mention_stands_outside_code(name):
    rendered = MarkdownIt("commonmark").enable("table").render(plan_markdown(_plan(name)))
    assert not re.search(r"@\w|https?:", re.sub(r"<code>.*?</code>", "", rendered, flags=re.DOTALL).replace("s3:", ""))


def test_markdown_fits_a_comment_and_loses_no_verdict():
    changes = [change(n, Action.CREATE, f"{n}/" + "|`é" * 300, Reason.NEW) for n in range(1, 2001)]
    text = plan_markdown(plan_of(*changes), full=True)
    assert len(text.encode()) <= 65_536
    shown_rows = text.count("| 0 B |")
    assert f"… {2000 - shown_rows:,} more to create: more than fits here" in text
    assert text.startswith("### Plan: 2,000 to create")


class _Page(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.attributes = set(), set()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}


@given(names)
def test_a_page_has_our_tags_only_and_nothing_from_outside(name):
    page, text = _Page(), "".join(plan_html(_plan(name)))
    page.feed(text)
    assert not page.tags & {"script", "img", "link", "iframe", "a", "b"}
    assert not {a for a in page.attributes if a.startswith("on") or a in ("src", "href", "style")}
    assert "url(" not in text.partition("</style>")[0]
