"""The small nouns of the core: errors with their exit codes, young files, words, what a person accepted as gone."""

from __future__ import annotations

import re

import msgspec
import pytest

from reconcile.core import errors
from reconcile.core.change import Action, Change, Conflict, Reason
from reconcile.core.decide import Facts, Source, Target, decide, source_state, target_state
from reconcile.core.entry import ABSENT, Cover, Entry, Problem, Version
from reconcile.core.events import ActionEnd, ActionStart, Note, Progress, Start, Warn
from reconcile.core.fingerprint import COARSE_GRANULE_NS, GRANULE_NS, changed_ns, is_racy, local_version
from reconcile.core.journal import Fold
from reconcile.core.march import Row, Tally, march
from reconcile.core.outcome import Outcome, Result
from reconcile.core.path import expression, is_control_area
from reconcile.core.plan import Header, Plan
from reconcile.core.policy import Policy
from reconcile.core.reasons import SENTENCES, conflict_sentence, sentence, tells_since
from reconcile.core.record import Record
from tests.core.cells import digest

SECOND_NS = 10**9


def test_errors_say_all_they_know_and_how_the_program_ends() -> None:
    spec = errors.SpecError(["one", "two"], path="reconcile.yaml")
    assert (spec.exit_code, spec.problems, spec.message) == (1, ["one", "two"], "one\ntwo")
    guard = errors.GuardError(["too many"])
    assert (guard.exit_code, guard.refusals) == (4, ["too many"])
    locked = errors.LockedError("Locked.", holder="somebody", hint="wait")
    assert (locked.exit_code, locked.holder, locked.hint) == (6, "somebody", "wait")
    busy = errors.BusyError("slow down", retry_after_s=2.5, op="write", path="a")
    assert (busy.permanent, busy.retry_after_s, busy.op, busy.path) == (False, 2.5, "write", "a")
    assert errors.StoreError("no").permanent
    assert [kind.exit_code for kind in (errors.StalePlanError, errors.FencedError, errors.StoppedError)] == [5, 6, 130]


@pytest.mark.hazard("L05")
@pytest.mark.parametrize(("unit_ns", "granule_ns"), [(SECOND_NS + 1, GRANULE_NS), (SECOND_NS, COARSE_GRANULE_NS)])
def test_a_file_is_young_until_a_granule_has_passed(unit_ns: int, granule_ns: int) -> None:
    """By the newer of its times; where they are whole seconds, the clock there may be as coarse."""
    for times_ns in ((5 * unit_ns, 3 * unit_ns), (3 * unit_ns, 5 * unit_ns)):
        version = local_version(1, *times_ns, 7)
        assert is_racy(version, read_ns=5 * unit_ns + granule_ns)
        assert not is_racy(version, read_ns=5 * unit_ns + granule_ns + 1)
    assert is_racy(local_version(1, 1, 9 * SECOND_NS + 1, 7), read_ns=SECOND_NS), "it lies ahead"


def test_every_part_of_a_stat_is_in_a_local_version() -> None:
    parts = (1, 2, 3, 4)
    others = [tuple(part + 1 if at == changed else part for at, part in enumerate(parts)) for changed in range(4)]
    assert len({local_version(*one) for one in [parts, *others]}) == 5


def accepted_as_gone(source: Source) -> Action | None:
    """What becomes of a path whose absence in the target was accepted, now that the source is so."""
    record = Record("k", 1, digest("A"), ABSENT)
    here = None if source is Source.ABSENT else Entry("k", 1, Version("x"), digest=digest("B"))
    row = Row("k", here, record, None)
    facts = Facts(absence=source if here is None else None)
    assert source_state(row, facts) is source
    assert target_state(row, source, facts) is Target.SAME
    decision = decide(row, Policy(), source, Target.SAME, facts)
    return decision.action if decision else None


def test_what_was_accepted_as_gone_comes_back_only_with_a_new_content() -> None:
    assert accepted_as_gone(Source.CHANGED) is Action.CREATE
    assert accepted_as_gone(Source.ABSENT) is Action.FORGET


def test_what_a_target_takes_for_the_same_name_is_moved_to_its_new_spelling() -> None:
    record = Record("A", 1, digest("A"), Version("v"))
    row = Row("A", Entry("a", 1, Version("x"), digest=digest("A")), record, Entry("A", 1, Version("v")))
    decision = decide(row, Policy(), Source.SAME, Target.SAME)
    assert decision is not None
    assert (decision.action, decision.reason) == (Action.MOVE, Reason.RENAMED)


@pytest.mark.hazard("N05")
def test_a_name_that_is_no_text_covers_nothing_and_is_told_as_text() -> None:
    tally = Tally()
    rows = list(
        march([Problem("\udcff", "the name is not UTF-8", Cover.TREE)], [], [Entry("a", 1, Version("v"))], tally)
    )
    assert [(row.key, row.unknown_source) for row in rows] == [("a", False)]
    assert [problem.key for problem in tally.problems] == ["\\xff"]


def test_the_control_area_is_the_directory_and_what_lies_in_it() -> None:
    inside = [".reconcile", ".reconcile/undo", ".reconcile-other", "a/.reconcile", ""]
    assert [is_control_area(one) for one in inside] == [True, True, False, False, False]


def test_the_key_of_a_fold() -> None:
    assert Fold("s", 1, put=Record("a", 1, digest("A"), Version("v"))).key == "a"
    assert Fold("s", 1, drop="b").key == "b"
    assert Fold("s", 1).key is None


def test_a_result_counts() -> None:
    endings = [
        Outcome(number, "docs", "create", "a", ending) for number, ending in enumerate(("done", "failed", "held"))
    ]
    result = Result(outcomes=endings, counts={"create": 1})
    assert (result.success_count, result.failure_count) == (1, 2)


def test_a_plan_reads_its_changes_once_to_know_its_id() -> None:
    header = Header("", "", "", "", "apply", [])
    reads = []

    def rows(mapping: str | None) -> list[Change]:
        reads.append(mapping)
        return []

    plan = Plan(header, rows)
    assert plan.id == plan.id
    assert len(reads) == 1


def test_every_reason_has_a_sentence_with_nothing_left_to_fill_in() -> None:
    assert SENTENCES.keys() == set(Reason)
    for reason in Reason:
        change = Change(1, "docs", Action.MOVE, "a", reason, from_key="old")
        for run in (0, 41):
            told = sentence(change, last_run=run)
            assert "{" not in told
            assert ("41" in told) == ("{since}" in SENTENCES[reason] and run == 41)
    assert conflict_sentence(Conflict("docs", "a", Reason.NEVER_MET, "here 1 B")).endswith("| here 1 B")


def test_a_file_changed_when_its_content_or_its_names_last_did() -> None:
    assert changed_ns(local_version(1, 20, 10, 4)) == 20
    assert changed_ns(local_version(1, 10, 20, 4)) == 20


def test_a_users_expression_warns_nobody_and_is_refused_when_it_is_none() -> None:
    assert expression("[[a]").search("[")
    with pytest.raises(re.error):
        expression("(")


def test_what_changed_is_said_to_have_since_the_run_that_recorded_the_path() -> None:
    told = [reason for reason in Reason if tells_since(reason)]
    assert Reason.DRIFTED in told
    assert Reason.NEW not in told
    for reason in told:
        change = Change(1, "docs", Action.UPDATE, "a", reason, since=7)
        conflict = Conflict("docs", "a", reason, since=7)
        assert "since run 7" in sentence(change, last_run=41)
        assert "since run 7" in conflict_sentence(conflict, last_run=41)
        assert "since" not in sentence(msgspec.structs.replace(change, since=0))
        assert "since" not in conflict_sentence(msgspec.structs.replace(conflict, since=0))


def test_a_change_that_tells_of_no_run_is_written_as_ever() -> None:
    """So the id of a plan that an older version saved stays what it was."""
    assert b"since" not in msgspec.json.encode(Change(1, "docs", Action.CREATE, "a", Reason.NEW))
    assert b'"since":7' in msgspec.json.encode(Conflict("docs", "a", Reason.DRIFT_FAIL, since=7))


def test_the_path_in_the_source_is_the_key_unless_another_is_told() -> None:
    change = Change(1, "docs", Action.CREATE, "a", Reason.NEW)
    assert [one.source_path for one in (change, msgspec.structs.replace(change, path="b"))] == ["a", "b"]


def test_events_are_told_apart_by_their_names() -> None:
    told = [
        (Start(4, "apply", 3, 10), "start"),
        (ActionStart(1, "docs", "create", "a"), "action_start"),
        (ActionEnd(1, "docs", "create", "a", "done"), "action_end"),
        (Progress("scan"), "progress"),
        (Warn("a word"), "warning"),
        (Note("a word"), "note"),
    ]
    for event, name in told:
        fields = msgspec.json.decode(msgspec.json.encode(event))
        assert fields.pop("event") == name
        unset = [field for field, value in fields.items() if value in (0, "", 0.0)]
        assert (
            set(unset)
            == {
                "start": {"resumed"},
                "action_start": {"size"},
                "action_end": {"bytes", "seconds", "error", "hint"},
                "progress": {"mapping", "done", "total", "bytes", "total_bytes"},
                "warning": {"mapping"},
                "note": {"symbol"},
            }[name]
        )
