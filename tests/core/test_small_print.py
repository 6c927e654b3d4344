"""The small print of the core: what each word says, what covers what, and where a limit lies exactly."""

from __future__ import annotations

from datetime import UTC
from enum import StrEnum
import unicodedata

import pytest

from reconcile.core.change import SYMBOLS, Action, Change, Reason
from reconcile.core.counts import Counts, moment_text, seconds_text, size_text
from reconcile.core.decide import Ask, Decision, Facts, Source, Target, Verdict, decide, source_state, target_state
from reconcile.core.entry import ABSENT, Cover, Digest, Entry, Kind, Leftover, Problem, Version
from reconcile.core.errors import GuardError
from reconcile.core.graph import entangle, frees
from reconcile.core.guard import Totals
from reconcile.core.journal import Holder, Intent, Past
from reconcile.core.march import Row, Tally, march
from reconcile.core.moves import Holder as Held
from reconcile.core.moves import Seeker, pair
from reconcile.core.outcome import Outcome, Result, Run
from reconcile.core.path import is_utf8, matches_glob, parents, shown
from reconcile.core.plan import Header, MappingPlan
from reconcile.core.policy import GuardLimits, Limit, Policy
from reconcile.core.record import Record, Scope
from reconcile.core.traits import Traits

A, B = Digest(b"a" * 32), Digest(b"b" * 32)


# --- words


@pytest.mark.parametrize("words", [Action, Reason, Source, Target, Verdict])
def test_every_word_says_what_it_is_called(words: type[StrEnum]) -> None:
    """Reports, plans, journals and other programs know them by these."""
    assert [word.value for word in words] == [word.name.lower().replace("_", "-") for word in words]


def test_what_is_not_said_claims_nothing() -> None:
    """The defaults of the nouns: a store promises nothing, a policy deletes nothing of others, a fact is not known."""
    assert Traits() == Traits(
        order="none", key="identity", tree=False, waits=False, write="stat", delete="stat", copy="none", move="none",
        move_atomic=False, returns_version=False, granule_ns=0, proves=False, keeps="none", executable=False,
        max_size_bytes=0, max_key_bytes=0, max_name_bytes=0, refused_characters="",
    )  # fmt: skip
    assert Policy() == Policy(
        delete=True, unmanaged="keep", drift="restore", conflict="fail", on_failure="continue", keep="auto",
        guard=GuardLimits(max_delete=Limit(share=0.5), max_update=Limit(), min_files=10),
    )  # fmt: skip
    assert (Limit().share, Limit().count) == (None, None)
    assert Scope("m", "s", "t") == Scope("m", "s", "t", layout="{path}", direction="one-way")
    assert set(SYMBOLS) == set(Action)
    assert "".join(SYMBOLS[action] for action in Action) == "+~->==."
    assert Facts() == Facts(None, None, target_recorded=False, target_asked=False, absence=None)


@pytest.mark.parametrize(
    ("noun", "said"),
    [
        (Outcome(1, "m", "create", "k", "done"), 5),
        (Run(1, "apply", 1.0), 3),
        (Result(), 0),
        (Past("k"), 1),
        (Leftover("k", "m", 3), 3),
        (Intent(1, 1, "s", "k", "create", Version("v")), 6),
        (Holder("i", "w", "h", 1, "apply", 1.0), 6),
        (Held("k", 1, A, Version("v"), vacates=True), 5),
        (Seeker("k", 1), 2),
        (Entry("k", 1, Version("v")), 3),
        (Tally(), 0),
        (Counts(), 0),
        (Decision(None, Reason.NEW), 2),
        (Totals(), 0),
        (Change(1, "m", Action.CREATE, "k", Reason.NEW), 5),
    ],
)
def test_what_a_noun_does_not_say_is_nothing(noun: object, said: int) -> None:
    unlike = {"exit_code": -1, "kind": Kind.FILE, "source_known": True}
    for name in noun.__struct_fields__[said:]:  # type: ignore[attr-defined]
        value = getattr(noun, name)
        assert (
            value == unlike.get(name, value) if name in unlike and isinstance(noun, Run | Entry | Totals) else not value
        ), name


def test_a_record_is_settled_and_a_plan_whole_unless_it_is_said_otherwise() -> None:
    record = Record("k", 1, A, Version("v"))
    assert (record.path, record.settled, record.executable, record.run, record.accepted) == (
        None,
        True,
        False,
        0,
        False,
    )

    part = MappingPlan("m", "s", 1, "s", "t", Counts())
    assert (part.whole, part.window, part.records, part.last_run, part.conditions) == (True, False, 0, 0, "")
    header = Header("l", "d", "f", "1", "apply", [])
    assert (header.open_run, header.open_done, header.open_total, header.format_version) == (0, 0, 0, 1)


def test_a_scope_of_names_that_are_no_text_has_an_id_of_its_own() -> None:
    ids = {Scope("m", source, "t").id for source in ("a\udcff", "a\udcfe", "a")}
    assert len(ids) == 3
    assert all(len(one) == 32 for one in ids)
    assert Scope("m", "s", "t").id != Scope("m", "s", "t", layout="{name}").id != Scope("m", "s", "t", direction="x").id


def test_a_refusal_is_told_line_by_line() -> None:
    assert str(GuardError(["one", "two"])) == "one\ntwo"


# --- what a problem covers


@pytest.mark.parametrize(
    ("problem", "covered", "free"),
    [
        (Problem("d", ""), ["d"], ["d/x", "d!", "c", "e"]),
        (Problem("d", "", Cover.TREE), ["d", "d/", "d/x", "d/x/y"], ["d!", "d-", "d0", "dx", "c"]),
        (Problem("", "", Cover.TREE), ["", "a", "a/b", "\U0001f600"], []),
        (Problem("d", "", Cover.RANGE, "f"), ["d!", "d/x", "e", "f"], ["a", "d", "f!", "g"]),
        (Problem("d", "", Cover.RANGE), ["d!", "e", "\U0001f600"], ["a", "d"]),
        (Problem("", "", Cover.RANGE, "b"), ["a", "b"], ["", "c"]),
    ],
)
def test_a_problem_covers_what_it_says(problem: Problem, covered: list[str], free: list[str]) -> None:
    assert [problem.covers(key) for key in covered] == [True] * len(covered)
    assert [problem.covers(key) for key in free] == [False] * len(free)
    assert problem.side == "source"


@pytest.mark.parametrize("cover", list(Cover))
def test_the_march_forgets_a_problem_only_behind_all_it_covers(cover: Cover) -> None:
    """The rows a problem makes unknown are those it covers, however many came between."""
    keys = ["c", "d", "d!", "d/a", "d/b", "d0", "d00", "e", "f", "f!", "g"]
    problem = Problem("d", "503", cover, "f" if cover is Cover.RANGE else None)
    tally = Tally()
    rows = march([problem, *(Entry(key, 2, Version("s"), 0, A) for key in keys)], [], [], tally)
    told = {row.key: row.unknown_source for row in rows}
    assert told == {key: problem.covers(key) for key in keys}
    assert (tally.sources, tally.source_bytes, tally.settled, tally.records) == (len(keys), 2 * len(keys), 0, 0)


def test_where_a_row_stands_its_neighbours_stay() -> None:
    here = [Entry(key, 1, Version("s"), 0, A) for key in ("a", "c")]
    known = [Record(key, 1, A, Version("v")) for key in ("b", "c")]
    there = [Entry(key, 1, Version("v")) for key in ("c", "d")]
    tally = Tally()
    assert [row.key for row in march(here, known, there, tally)] == ["a", "b", "d"]
    assert (tally.settled, tally.sources, tally.records, tally.targets) == (1, 2, 2, 2)


@pytest.mark.parametrize(
    ("here", "known", "there", "settled"),
    [(False, False, False, True), (True, True, True, True), (True, False, False, False), (False, True, True, False),
     (True, True, False, False)],
)  # fmt: skip
def test_the_bit_is_compared_where_both_sides_have_it(here: bool, known: bool, there: bool, settled: bool) -> None:
    def rows(*, executable: bool) -> list[Row]:
        sides = (
            [Entry("k", 1, Version("s"), 0, A, executable=here)],
            [Record("k", 1, A, Version("v"), executable=known)],
            [Entry("k", 1, Version("v"), executable=there)],
        )
        return list(march(*sides, Tally(), executable=executable))

    assert rows(executable=False) == []
    assert (rows(executable=True) == []) is settled


# --- the decision, row by row


def row(source: Entry | None = None, record: Record | None = None, target: Entry | None = None, **more: bool) -> Row:
    return Row("k", source, record, target, more.get("unknown_source", False), more.get("unknown_target", False))


def test_what_is_unknown_is_said_to_be() -> None:
    assert source_state(row(unknown_source=True), Facts()) is Source.UNKNOWN
    assert target_state(row(unknown_target=True), Source.SAME, Facts()) is Target.UNKNOWN


def test_a_directory_is_in_the_way_of_a_file_only_under_its_very_name() -> None:
    """`k/` is a directory beside; `k` that is a directory stands where the file should be."""
    directory = Entry("k", 0, Version(""), kind=Kind.DIRECTORY)
    assert target_state(row(target=directory), Source.CHANGED, Facts()) is Target.OTHER
    beside = Row("k/", None, None, Entry("k/", 0, ABSENT, kind=Kind.DIRECTORY), False, False)
    assert target_state(beside, Source.ABSENT, Facts()) is Target.ABSENT
    file = Row("k/", None, None, Entry("k/", 1, Version("v")), False, False)
    assert target_state(file, Source.ABSENT, Facts()) is not Target.ABSENT


@pytest.mark.parametrize(
    ("settled", "accepted", "state"),
    [
        (True, False, Target.SAME),
        (False, True, Target.SAME),
        (True, True, Target.SAME),
        (False, False, Ask.TARGET_EQUAL),
    ],
)
def test_a_known_version_is_the_same_if_it_was_settled_or_accepted(
    settled: bool, accepted: bool, state: object
) -> None:
    record = Record("k", 1, A, Version("v"), settled=settled, accepted=accepted)
    assert target_state(row(None, record, Entry("k", 1, Version("v"))), Source.ABSENT, Facts()) is state


@pytest.mark.parametrize(("equal", "state"), [(True, Target.EQUAL), (False, Target.CHANGED), (None, Target.CHANGED)])
def test_what_was_compared_is_equal_or_changed(equal: bool | None, state: Target) -> None:
    met = row(Entry("k", 1, Version("s"), 0, A), None, Entry("k", 1, Version("v")))
    facts = Facts(target_asked=True, target_equal=equal)
    assert target_state(met, Source.CHANGED, facts) is state
    recorded = row(None, Record("k", 1, A, Version("v"), settled=False), Entry("k", 1, Version("v")))
    assert target_state(recorded, Source.ABSENT, Facts(target_asked=True, target_recorded=True)) is Target.SAME


def test_a_mode_is_changed_only_where_modes_are_known() -> None:
    here = Entry("k", 1, Version("s"), 0, A, executable=True)
    met = row(here, Record("k", 1, A, Version("v")), Entry("k", 1, Version("v")))
    assert decide(met, Policy(), Source.SAME, Target.SAME, executable=False) is None
    told = decide(met, Policy(), Source.SAME, Target.SAME, executable=True)
    assert told is not None
    assert (told.action, told.reason) == (Action.UPDATE, Reason.MODE)
    for alone in (row(here, None, None), row(None, None, Entry("k", 1, Version("v"), executable=True))):
        assert decide(alone, Policy(), Source.CHANGED, Target.EQUAL, executable=True).reason is Reason.EQUAL  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("key", "here", "known", "accepted", "there", "respelled"),
    [
        ("K", None, None, False, True, True),
        ("k", None, None, False, True, False),
        ("K", None, None, True, True, False),
        ("K", None, None, False, False, False),
        ("K", "k", "k", False, True, False),
        ("K", "x", None, False, True, True),
        ("K", "k", None, False, True, False),
        ("K", None, "K", False, True, False),
        ("K", None, "y", False, True, True),
    ],
)
def test_a_name_is_respelled_if_its_path_is_written_another_way(
    key: str, here: str | None, known: str | None, accepted: bool, there: bool, respelled: bool
) -> None:
    met = row(
        Entry(key, 1, Version("s"), 0, A, path=here),
        Record("k", 1, A, Version("v"), path=known, accepted=accepted),
        Entry("k", 1, Version("v")) if there else None,
    )
    told = decide(met, Policy(), Source.SAME, Target.SAME)
    assert (told is not None and told.action is Action.MOVE) is respelled
    assert decide(row(None, None, None), Policy(), Source.SAME, Target.SAME) is None


@pytest.mark.parametrize(
    ("policy", "here_ns", "there_ns", "told"),
    [
        ("fail", 2, 1, "conflict"),
        ("both", 2, 1, "conflict"),
        ("source", 1, 2, "update conflict-source"),
        ("target", 2, 1, "accept accepted"),
        ("newest", 2, 1, "update conflict-newest"),
        ("newest", 1, 2, "accept accepted"),
        ("newest", 1, 1, "conflict"),
        ("newest", 0, 2, "conflict"),
        ("newest", 2, 0, "conflict"),
        ("newest", 1, 0, "conflict"),
        ("newest", 0, 1, "conflict"),
    ],
)
def test_who_wins_a_conflict(policy: str, here_ns: int, there_ns: int, told: str) -> None:
    met = row(
        Entry("k", 1, Version("s"), here_ns, A), Record("k", 1, B, Version("v")), Entry("k", 1, Version("w"), there_ns)
    )
    decision = decide(met, Policy(conflict=policy), Source.CHANGED, Target.CHANGED)  # type: ignore[arg-type]
    assert decision is not None
    assert (f"{decision.action} {decision.reason}" if decision.action else "conflict") == told


def test_of_a_side_that_is_not_there_no_time_is_known() -> None:
    """One nanosecond after 1970 is newer than nothing, and yet nobody wins."""
    gone = row(None, Record("k", 1, B, Version("v")), Entry("k", 1, Version("w"), 1))
    told = decide(gone, Policy(conflict="newest"), Source.ABSENT, Target.CHANGED)
    assert told is not None
    assert told.action is None


# --- order and pairs


def test_what_a_change_frees() -> None:
    move = {"from_key": "old", "from_version": Version("v")}
    assert frees(Change(1, "m", Action.DELETE, "k", Reason.GONE)) == "k"
    assert frees(Change(1, "m", Action.MOVE, "k", Reason.RENAMED, vacates=True, **move)) == "old"  # type: ignore[arg-type]
    assert frees(Change(1, "m", Action.MOVE, "k", Reason.RENAMED, **move)) is None  # type: ignore[arg-type]
    assert frees(Change(1, "m", Action.CREATE, "k", Reason.NEW)) is None


def test_a_directory_goes_as_one_with_the_file_that_takes_its_place_and_a_file_with_the_first_below_it() -> None:
    """A move that goes away below or above shares no fate with who comes: its content is safe elsewhere."""

    def change(number: int, action: Action, key: str, came: str | None = None) -> Change:
        return Change(number, "m", action, key, Reason.NEW, from_key=came, vacates=came is not None)

    takes_directory = [
        change(1, Action.MOVE, "z", "d/m"), change(2, Action.DELETE, "d/x"), change(3, Action.DELETE, "d/y"),
        change(4, Action.CREATE, "d"),
    ]  # fmt: skip
    groups = {one.id: one.group for one in entangle(takes_directory, tree=True)}
    assert groups[1] == 0
    assert groups[2] == groups[3] == groups[4] != 0
    becomes_directory = [
        change(1, Action.DELETE, "f"), change(2, Action.CREATE, "f/a"), change(3, Action.CREATE, "f/b"),
        change(4, Action.MOVE, "y", "g"), change(5, Action.CREATE, "g/a"),
    ]  # fmt: skip
    groups = {one.id: one.group for one in entangle(becomes_directory, tree=True)}
    assert groups[1] == groups[2] != 0
    assert (groups[3], groups[4], groups[5]) == (0, 0, 0)
    assert all(one.group == 0 for one in entangle(becomes_directory, tree=False))


@pytest.mark.parametrize(("held", "sought"), [("a", "a/b"), ("a/b", "a")])
def test_on_a_tree_no_file_is_moved_into_its_own_place(held: str, sought: str) -> None:
    holders, seekers = [Held(held, 1, A, Version("v"), vacates=True)], [Seeker(sought, 1, A)]
    assert pair(holders, seekers, tree=True) == {}
    assert pair(holders, seekers, tree=False) == {sought: holders[0]}
    other = [Seeker("ab", 1, A)]
    assert pair(holders, other, tree=True) == {"ab": holders[0]}


# --- names and numbers


def test_names_that_are_no_text() -> None:
    assert (is_utf8("é"), is_utf8("\udc80")) == (True, False)


def test_the_directories_above_a_key() -> None:
    assert [parents(key) for key in ("a", "a/b", "a//b", "aa/bb/cc", "/a")] == [
        [], ["a"], ["a", "a/"], ["aa", "aa/bb"], [""],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("key", "pattern", "matches"),
    [("a/b", "a", True), ("a/b", "a/", True), ("ab", "a", False), ("a", "a/", False), ("a/b/c", "a/*", True),
     ("x/a", "*a", True), ("a/b", "b", False), ("a/b", "aX", False)],
)  # fmt: skip
def test_a_glob_names_a_path_or_all_below_a_directory(key: str, pattern: str, matches: bool) -> None:
    assert matches_glob(key, pattern) is matches


def test_every_character_that_is_not_seen_is_spelled_out() -> None:
    """All of Unicode: what is printed is printable, and what is not is told by its number."""
    unseen = [chr(point) for span in ((0x200B, 0x2010), (0x2028, 0x202F), (0x2060, 0x2070)) for point in range(*span)]
    for char in (*unseen, "\ufeff", "\u061c"):
        assert shown(f"a{char}b") == f"a\\u{ord(char):04x}b"
    assert shown("\u2010\u2027\u2070\u00ff\u0100") == "\u2010\u2027\u2070\u00ff\u0100"
    assert [shown(char) for char in ("\x80", "\xad", "\u0378", "\x00")] == ["\\x80", "\\xad", "\\u0378", "\\x00"]
    assert [shown(char) for char in ("\udc80", "\udcff", "\udc7f", "\ud800", "\udd00")] == [
        "\\x80", "\\xff", "\\udc7f", "\\ud800", "\\udd00",
    ]  # fmt: skip
    assert [shown(char) for char in "\n\r\t\x1b"] == ["\\n", "\\r", "\\t", "\\e"]
    assert unicodedata.category("\u0378") == "Cn"


@pytest.mark.parametrize(
    ("size", "told"),
    [(1024 * 1024 - 52, "1023.9 KiB"), (1024 * 1024 - 51, "1 MiB"), (1 << 50, "1 PiB"), (1 << 60, "1024 PiB")],
)
def test_a_size_changes_its_unit_where_its_number_would_be_told_as_1024(size: int, told: str) -> None:
    assert size_text(size) == told


def test_a_duration_changes_its_unit_after_two_of_the_next() -> None:
    assert [seconds_text(seconds) for seconds in (59.94, 60, 7_199, 7_200, 172_799, 172_800, 8_640_000)] == [
        "59.9 s", "1 min", "120 min", "2 h", "48 h", "2 d", "100 d",
    ]  # fmt: skip


def test_a_time_beyond_all_calendars_is_told_by_its_year() -> None:
    assert moment_text(-5, UTC) == "1969-12-31 23:59:55"
    assert [moment_text(sign * 2.0**40, UTC) for sign in (1, -1)] == ["year 36812", "year -32873"]
    assert moment_text(2.0**55, UTC) == "year 1141709097"
