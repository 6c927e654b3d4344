"""Every reason has its sentence."""

from __future__ import annotations

import pytest

from reconcile.core.change import Action, Conflict, Reason
from reconcile.core.reasons import SENTENCES, conflict_sentence, sentence
from tests.report.samples import change


def test_every_reason_has_a_sentence_and_no_two_have_the_same():
    assert set(SENTENCES) == set(Reason)
    assert len(set(SENTENCES.values())) == len(SENTENCES)


@pytest.mark.parametrize("reason", Reason)
def test_a_sentence_says_something_without_braces(reason):
    told = sentence(change(1, Action.UPDATE, "a", reason, from_key="{since}"), last_run=41)
    assert told
    assert "{old}" not in told
    assert "}" not in told.replace("{since}", "")


@pytest.mark.parametrize(
    ("reason", "last_run", "told"),
    [
        (Reason.NEW, 41, "new"),
        (Reason.RENAMED, 41, "renamed from a/b.txt"),
        (Reason.DRIFTED, 41, "changed in the target since run 41, restored"),
        (Reason.DRIFTED, 0, "changed in the target, restored"),
        (Reason.UNPROVEN, 0, "same size and no digest: apply reads it once, then adopts or asks"),
    ],
)
def test_what_is_known_stands_in_the_sentence(reason, last_run, told):
    assert sentence(change(1, Action.MOVE, "c", reason, from_key="a/b.txt"), last_run=last_run) == told


def test_a_conflict_tells_both_sides_where_they_are_known():
    conflict = Conflict("docs", "q3", Reason.BOTH_CHANGED, "here 18:02 | there 18:40")
    assert conflict_sentence(conflict, last_run=40) == "both sides changed since run 40 | here 18:02 | there 18:40"
