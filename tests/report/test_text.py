"""The words of the screens, and that they stream."""

from __future__ import annotations

from datetime import UTC
from itertools import islice

import pytest

from reconcile.core.change import Action, Conflict, Reason, Refusal
from reconcile.core.counts import Counts
from reconcile.core.entry import Problem
from reconcile.core.errors import SpecError, StoreError
from reconcile.core.events import ActionEnd, Note, Progress, Warn
from reconcile.core.outcome import Outcome, Result, Run
from reconcile.core.plan import Plan
from reconcile.report.screens import error_lines, lock_lines, verify_lines, watch_line
from reconcile.report.tables import history_lines, run_lines
from reconcile.report.text import plan_lines, result_lines
from reconcile.report.views import Difference, Held
from reconcile.report.words import plan_summary, typed
from tests.report.samples import NOW, change, mapping_of, plan_of, plan_with


@pytest.mark.parametrize(
    ("counts", "conflicts", "unreadable", "told"),
    [
        (
            Counts(create=3, update=1, move=1, bytes=13_000_000),
            2,
            1,
            "Plan: 3 to create, 1 to update, 0 to delete, 1 to move; 12.4 MiB to send. 2 conflicts, 1 unreadable.",
        ),
        (
            Counts(delete=1200, adopt=4),
            1,
            0,
            "Plan: 0 to create, 0 to update, 1,200 to delete, 0 to move, 4 to adopt; 0 B to send. 1 conflict.",
        ),
        (Counts(unchanged=1204), 0, 0, "No changes. 1,204 paths in sync."),
        (
            Counts(unchanged=1204),
            0,
            2,
            "Plan: 0 to create, 0 to update, 0 to delete, 0 to move; 0 B to send. 2 unreadable.",
        ),
    ],
)
def test_the_last_line_of_a_plan(counts, conflicts, unreadable, told):
    assert plan_summary(counts, conflicts, unreadable) == told


def test_a_plan_without_changes_is_one_line():
    assert list(plan_lines(plan_of(unchanged=7))) == ["No changes. 7 paths in sync."]


def test_a_container_to_be_made_is_a_change():
    lines = list(plan_lines(plan_of(creates=["bucket acme"])))
    assert "  will create bucket acme" in lines
    assert lines[-1].startswith("Plan: 0 to create")


def test_only_symbols_in_use_are_explained():
    legend = next(plan_lines(plan_of(change(1, Action.CREATE, "a", Reason.NEW))))
    assert legend == "+ create"


def test_a_lone_delete_never_hides_behind_the_cut():
    changes = [change(n, Action.CREATE, f"a{n:03}", Reason.NEW) for n in range(1, 61)]
    lines = list(plan_lines(plan_of(*changes, change(61, Action.DELETE, "z", Reason.GONE))))
    assert sum(line.startswith("  + ") for line in lines) == 50
    assert any(line.startswith("  - z ") for line in lines)
    assert "  … 10 more to create (--full shows all)" in lines


def test_full_cuts_nothing():
    changes = [change(n, Action.CREATE, f"a{n:03}", Reason.NEW) for n in range(1, 200)]
    assert sum(line.startswith("  + ") for line in plan_lines(plan_of(*changes), full=True)) == 199


def test_drift_stands_under_its_own_heading():
    ours = change(1, Action.UPDATE, "b", Reason.CHANGED)
    theirs = change(2, Action.UPDATE, "a", Reason.DRIFTED, drift=True)
    lines = list(plan_lines(plan_of(theirs, ours, last_run=41)))
    heading = lines.index("  Changed in the target since run 41:")
    assert lines[heading - 1].startswith("  ~ b ")
    assert lines[heading + 1].startswith("  ~ a ")
    assert sum(line.startswith("  ~ ") for line in lines) == 2


def test_several_guards_of_a_mapping_are_allowed_by_one_command():
    refusals = [Refusal("docs", "deletes", "would delete 9 of 9 files"), Refusal("docs", "new-disk", "another disk")]
    gone = change(1, Action.DELETE, "a", Reason.GONE)
    lines = list(plan_lines(plan_of(gone, refusals=refusals, problems=[Problem("b", "no")])))
    assert "Refused: docs would delete 9 of 9 files. 1 part of the source could not be read." in lines
    assert "Refused: docs: another disk." in lines
    (ways,) = [line for line in lines if "If you mean it" in line]
    assert "reconcile apply --allow deletes:docs --allow new-disk:docs " in ways
    assert ways.endswith("To look first: reconcile plan --mapping docs --full")


def test_what_is_allowed_is_told_and_needs_no_command():
    gone = change(1, Action.DELETE, "a", Reason.GONE)
    allowed = [Refusal("docs", "deletes", "would delete 9 of 9 files", allowed=True)]
    text = "\n".join(plan_lines(plan_of(gone, refusals=allowed)))
    assert "Allowed: docs would delete 9 of 9 files." in text
    assert "If you mean it" not in text


def test_one_conflict_is_named_in_the_command_and_several_are_not():
    one = Conflict("docs", "it's", Reason.BOTH_CHANGED)
    other = Conflict("docs", "b", Reason.NEVER_MET)
    assert """--target 'it'"'"'s'""" in "\n".join(plan_lines(plan_of(conflicts=[one])))
    assert "--target GLOB…" in "\n".join(plan_lines(plan_of(conflicts=[one, other])))


def test_colour_only_where_it_is_asked_for():
    plan = plan_of(change(1, Action.CREATE, "a", Reason.NEW))
    assert "\x1b" not in "".join(plan_lines(plan))
    assert "\x1b[32m+\x1b[0m" in "".join(plan_lines(plan, color=True))


def test_a_large_plan_is_told_while_it_is_read():
    read = []

    def rows(_mapping):
        for number in range(1, 1_000_001):
            read.append(number)
            yield change(number, Action.CREATE, f"{number:07}", Reason.NEW)

    header = plan_with([mapping_of("docs", unchanged=0, counts=Counts(create=1_000_000))], ()).header
    lines = list(islice(plan_lines(Plan(header, rows), full=True), 100))
    assert len(lines) == 100
    assert len(read) < 200


def test_the_paths_a_shell_can_take_back():
    assert typed("a b") == "'a b'"
    assert typed("a\nb'\\") == r"$'a\nb\'\\'"
    assert typed("##vso[x]") == r"$'#\x23vso[x]'"


@pytest.mark.parametrize(
    ("result", "told"),
    [
        (Result(skip_count=3), "No changes. 3 paths in sync."),
        (
            Result(run=42, counts={"create": 3}, total_bytes=13_000_000, seconds=3.1),
            "Applied 42: 3 created, 0 updated, 0 deleted, 0 moved; 12.4 MiB in 3.1 s. Nothing left to do.",
        ),
        (
            Result(run=42, counts={}, left=582, stopped=True, exit_code=130),
            "Applied 42: 0 created, 0 updated, 0 deleted, 0 moved; 0 B in 0.0 s. Stopped. Left: 582 not begun.",
        ),
        (
            Result(conflicts=[Conflict("docs", "a", Reason.NEVER_MET)], exit_code=3),
            "Applied: 0 created, 0 updated, 0 deleted, 0 moved; 0 B in 0.0 s. Left: 1 conflict.",
        ),
        (
            Result(run=1, exit_code=7),
            "Applied 1: 0 created, 0 updated, 0 deleted, 0 moved; 0 B in 0.0 s. Exit code 7.",
        ),
    ],
)
def test_the_last_line_of_a_result(result, told):
    assert list(result_lines(None, result))[-1] == told


@pytest.mark.hazard("O02")
@pytest.mark.parametrize("ending", ["failed", "held", "conflict"])
def test_what_is_not_done_is_told_with_its_place_its_reason_and_the_next_command(ending):
    outcome = Outcome(1, "docs", "update", "a.txt", ending, error="403 denied")
    text = "\n".join(result_lines(None, Result(run=1, outcomes=[outcome], left=1, exit_code=7)))
    assert "! a.txt  docs: update: 403 denied" in text
    assert "    reconcile " in text
    assert "Nothing left to do" not in text


def test_watch_tells_what_people_care_for():
    done = ActionEnd(1, "src", "update", "pricing.py", "done", 4096, 0.6)
    failed = ActionEnd(2, "src", "update", "b\n.py", "failed", error="401 token expired", hint="log in")
    assert watch_line(done, NOW).endswith(" ~ pricing.py 4 KiB 0.6 s")
    assert watch_line(failed, NOW).endswith(r" ! b\n.py failed: 401 token expired: log in")
    assert watch_line(Warn("slow"), NOW).endswith(" ! slow")
    assert watch_line(Note("looking again"), NOW).endswith("looking again")
    assert watch_line(Progress("scan"), NOW) is None


def test_a_hold_is_told_with_its_reason():
    held = Held("9c2e", "ann", "laptop", 1, "hold", NOW, reason="rolled back run 41", hold=True)
    (line,) = lock_lines(held, NOW)
    assert "rolled back run 41" in line
    assert line.endswith("reconcile unlock 9c2e")
    assert list(lock_lines(None, NOW)) == ["Lock free."]


def test_a_verification_ends_with_what_was_read():
    *_, last = verify_lines([Difference("docs", "a", "other content")], checked=1204, size_bytes=4096)
    assert last == "Verified: 1 of 1,204 paths differ from the state; 4 KiB read. Next: reconcile plan"
    assert list(verify_lines([], checked=2, size_bytes=0)) == ["Verified: 2 paths as recorded; 0 B read."]


def test_what_no_plan_would_see_is_sent_again():
    """Bytes that changed under the version that was recorded: damage, or a store that kept what it was not sent."""
    hidden = [Difference("docs", key, "other content", unseen=True) for key in ("b", "c")]
    ends = [
        [*verify_lines(found, checked=9, size_bytes=0)][-1].partition("Next: ")[2] for found in (hidden[:1], hidden)
    ]
    assert ends == ["reconcile apply --resend --path 'b'", "reconcile apply --resend"]
    *_, last = verify_lines([Difference("docs", "a", "other content"), *hidden], checked=9, size_bytes=0)
    assert last.endswith("Next: reconcile plan, reconcile apply --resend")


def test_an_error_is_told_with_its_hint_and_a_name_cannot_break_its_line():
    error = StoreError("denied", op="read", path="a\n ::set-output", hint="log in")
    assert list(error_lines(error)) == [r"Error: read a\n ::set-output: denied", "  log in"]
    first, second, hint = error_lines(SpecError(["x.yaml:1:1: bad", "x.yaml:2:1: worse"]))
    assert (first, second) == ("Error: x.yaml:1:1: bad", "  x.yaml:2:1: worse")
    assert "reconcile schema" in hint


def test_a_run_that_others_came_after_is_open_no_more() -> None:
    killed = Run(1, "apply", 1.0, total=3_001)
    _, after, before = history_lines([Run(2, "apply", 2.0), killed], zone=UTC)
    assert ("open" in after, "stopped" in before) == (True, True)
    assert next(islice(run_lines(killed, [], newest=False, zone=UTC), 1, None)).endswith("; 0 of 3,001, 0 B; stopped")
    assert next(islice(run_lines(killed, [], zone=UTC), 1, None)).endswith("; open")
