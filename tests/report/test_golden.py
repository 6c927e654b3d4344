"""Every rendering of one rich plan, and of its result, word for word.

`RECONCILE_UPDATE_GOLDEN=1` writes the files anew; their diff is then what is reviewed.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC
import os
from pathlib import Path

import pytest

from reconcile.core.record import Scope
from reconcile.report.html import plan_html
from reconcile.report.json import report_line, write_plan
from reconcile.report.markdown import plan_markdown
from reconcile.report.screens import conflict_lines, lock_lines, status_lines
from reconcile.report.tables import (
    history_lines,
    ls_lines,
    record_lines,
    record_text,
    run_lines,
    scope_lines,
    why_lines,
)
from reconcile.report.text import plan_lines, result_lines
from reconcile.report.undone import rollback_lines
from tests.report import samples
from tests.report.samples import rich_plan, rich_result

GOLDEN = Path(__file__).parent / "golden"
UPDATE = "RECONCILE_UPDATE_GOLDEN" in os.environ


def _lines(lines) -> str:
    return "".join(f"{line}\n" for line in lines)


def _json() -> str:
    pieces: list[str] = []
    write_plan(rich_plan(), pieces.append)
    return "".join(pieces).replace("},{", "},\n{")


def _looks() -> str:
    run, outcomes = samples.a_run(), rich_result().outcomes
    screens = (
        history_lines([run], zone=UTC),
        run_lines(run, outcomes, zone=UTC),
        ls_lines(samples.listing(), zone=UTC),
        why_lines(samples.a_why(), zone=UTC),
        status_lines(samples.a_status(), zone=UTC),
        lock_lines(samples.a_lock(), samples.NOW, zone=UTC),
        rollback_lines(samples.undone(), unlock="9c2e"),
        conflict_lines(rich_plan()),
        scope_lines([(Scope("docs", "./docs", "s3://acme/docs"), 3, 1204)]),
        record_lines([samples.a_why().record, samples.UNSETTLED]),
        record_text(samples.UNSETTLED, indent="  "),
    )
    return "\n".join(_lines(screen) for screen in screens)


RENDERINGS: dict[str, Callable[[], str]] = {
    "plan.txt": lambda: _lines(plan_lines(rich_plan())),
    "plan.full.color.txt": lambda: _lines(plan_lines(rich_plan(), full=True, color=True)),
    "plan.json": _json,
    "plan.md": lambda: plan_markdown(rich_plan()),
    "plan.html": lambda: "".join(plan_html(rich_plan())),
    "result.txt": lambda: _lines(result_lines(rich_plan(), rich_result())),
    "result.json": lambda: report_line(rich_result(), 9, samples.NOW).replace("},{", "},\n{"),
    "looks.txt": _looks,
}


@pytest.mark.parametrize("name", RENDERINGS)
def test_the_rendering_is_as_agreed(name):
    told, file = RENDERINGS[name](), GOLDEN / name
    if UPDATE:
        file.write_bytes(told.encode())
    assert told.encode() == file.read_bytes()


@pytest.mark.parametrize("name", RENDERINGS)
def test_the_same_plan_is_the_same_bytes(name):
    assert RENDERINGS[name]() == RENDERINGS[name]()
