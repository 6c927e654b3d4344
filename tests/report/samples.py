"""Plans and results that the tests of this room render."""

from __future__ import annotations

from collections.abc import Iterator

from reconcile.core.change import Action, Change, Conflict, Reason, Refusal
from reconcile.core.counts import Counts
from reconcile.core.entry import Cover, Digest, Entry, Problem, Version
from reconcile.core.outcome import Outcome, Result, Run
from reconcile.core.plan import Header, MappingPlan, Plan
from reconcile.core.record import Record
from reconcile.report.views import Held, MappingStatus, Status, Undone, Why

NASTY = (
    "a\nb",
    "tab\there",
    "cr\rlf",
    "esc\x1b[2Jape",
    "rtl\u202egpj.exe",
    "::set-output name=x::y",
    "pipe|tick`<b>@you</b>&amp;*_~[x](http://e)",
    "`",
    "``` ",
    " lead",
    "c1\x9b31m",
    "zero\u200bwidth",
    "Überstraße 文.txt",
    "quote's\"\\",
    "<script>alert(1)</script>",
    "\u2028line",
)
"""Names that try to be more than names."""


def plan_of(*changes: Change, kind: str = "apply", **mapping: object) -> Plan:
    """A plan of one mapping, `docs`, with these changes."""
    return plan_with([mapping_of("docs", changes, **mapping)], changes, kind=kind)


def mapping_of(name: str, changes: tuple[Change, ...] = (), **more: object) -> MappingPlan:
    """The mapping that holds those of the changes that are its own."""
    counts = Counts(unchanged=int(more.pop("unchanged", 0)))
    for change in changes:
        if change.mapping == name:
            counts.add(change)
    told = {"scope": f"{name}-scope", "serial": 3, "source": f"./{name}", "target": f"s3://acme/{name}"}
    return MappingPlan(**{"name": name, "counts": counts, **told, **more})


def plan_with(mappings: list[MappingPlan], changes: tuple[Change, ...], **header: object) -> Plan:
    """A plan of these mappings and changes."""
    told = {"lineage": "1" * 32, "spec": "2" * 64, "spec_file": "reconcile.yaml", "tool_version": "0.1.0"}

    def rows(mapping: str | None) -> Iterator[Change]:
        return (change for change in changes if mapping in (None, change.mapping))

    return Plan(Header(mappings=mappings, **{**told, "kind": "apply", **header}), rows)


def change(number: int, action: Action, key: str, reason: Reason, **more: object) -> Change:
    """A change of the mapping `docs`, if nothing else is said."""
    return Change(id=number, action=action, key=key, reason=reason, **{"mapping": "docs", **more})


def rich_plan() -> Plan:
    """Something of everything a plan can hold."""
    changes = (
        change(1, Action.CREATE, "a/new.txt", Reason.NEW, size=12_288),
        change(2, Action.UPDATE, "b.csv", Reason.CHANGED, size=13_000_000, digest=Digest(b"\x01" * 32)),
        change(3, Action.UPDATE, "drifted.txt", Reason.DRIFTED, size=90, drift=True),
        change(4, Action.CREATE, "lost.txt", Reason.LOST, size=5, drift=True),
        change(5, Action.MOVE, "moved/x.bin", Reason.RENAMED, size=4096, from_key="x.bin"),
        change(6, Action.DELETE, "old.txt", Reason.GONE, size=0, after=(5,)),
        change(7, Action.ADOPT, "same.txt", Reason.EQUAL, size=77),
        *(change(10 + n, Action.CREATE, f"z/{name}", Reason.NEW, size=1) for n, name in enumerate(NASTY)),
        change(40, Action.FORGET, "gone.csv", Reason.BOTH_GONE, mapping="tables"),
        *(change(41 + n, Action.CREATE, f"t{n:03}.csv", Reason.NEW, mapping="tables", size=n) for n in range(60)),
        *(change(101 + n, Action.DELETE, f"w{n}", Reason.GONE, mapping="wiped") for n in range(3)),
    )
    docs = mapping_of(
        "docs",
        changes,
        last_run=41,
        unchanged=1204,
        window=True,
        conditions="unproven",
        creates=["bucket acme"],
        notices=["orphaned scope: 3 paths (state mv, state rm or destroy settle it)"],
        conflicts=[
            Conflict("docs", "data/q3.xlsx", Reason.BOTH_CHANGED, "here laptop-7 18:02 | there laptop-3 18:40, run 41"),
            Conflict("docs", "prod/x", Reason.PROTECTED, exit_code=4),
        ],
        problems=[
            Problem("bad\\xff\x1b.txt", "the name is not UTF-8", hint="rename it"),
            Problem("locked", "permission denied", Cover.TREE),
            Problem("m", "listing failed: 503", Cover.RANGE, until="q", side="target"),
        ],
    )
    tables = mapping_of("tables", changes, waits_for=["docs"])
    wiped = mapping_of(
        "wiped", changes, refusals=[Refusal("wiped", "deletes", "would delete 3 of 4 files (75 %, limit 50 %)")]
    )
    return plan_with([docs, tables, wiped], changes, open_run=41, open_done=318, open_total=900)


def rich_result() -> Result:
    """A run in which something of everything happened."""
    return Result(
        run=42,
        outcomes=[
            Outcome(1, "docs", "create", "a/new.txt", "done", 12_288, 12_288, 0.25),
            Outcome(2, "docs", "update", "b.csv", "failed", error="403 access denied", hint="databricks auth login"),
            Outcome(3, "docs", "update", "d::x\x1b.txt", "conflict", error="changed since the plan"),
            Outcome(6, "docs", "delete", "old.txt", "held", error="an action of its mapping failed"),
            Outcome(7, "docs", "create", "later.txt", "skipped"),
        ],
        conflicts=[Conflict("docs", "data/q3.xlsx", Reason.BOTH_CHANGED)],
        problems=[Problem("locked", "permission denied", Cover.TREE)],
        refusals=[Refusal("wiped", "deletes", "would delete 3 of 4 files (75 %, limit 50 %)")],
        counts={"create": 1},
        skip_count=1204,
        total_bytes=12_288,
        left=582,
        seconds=3.14,
        exit_code=4,
    )


NOW = 1_772_391_760.0
"""2026-03-01 19:02:40 UTC."""

UNSETTLED = Record("b\x1b.txt", 5, Digest(b"\xcd" * 32), Version("t\n2"), path="src/b", settled=False)
"""Its source is gone, its target stays; its version proves nothing yet."""


def a_run() -> Run:
    """A run that ended with a failure."""
    return Run(
        42, "apply", NOW - 90, NOW - 87, "etl", "ci-runner-7", exit_code=7, total=5, done=1, failed=1, bytes=12_288
    )


def listing() -> list[Entry | Problem]:
    """Two files and a gap."""
    return [
        Entry("a.txt", 12, Version("v"), mtime_ns=int(NOW) * 10**9),
        Entry("b\x1b/c.bin", 3_000_000, Version("w")),
        Problem("secret", "permission denied"),
    ]


def a_why() -> Why:
    """A path that is to be updated."""
    digest = Digest(b"\xab" * 32)
    return Why(
        "docs",
        "a.txt",
        source=Entry("a.txt", 13, Version("s1"), mtime_ns=int(NOW) * 10**9, digest=digest),
        record=Record("a.txt", 12, digest, Version("t1"), run=41),
        target=Entry("a.txt", 12, Version("t1")),
        change=change(1, Action.UPDATE, "a.txt", Reason.CHANGED, size=13),
        history=[(a_run(), rich_result().outcomes[1])],
        notes=["selected by include `**/*.txt`"],
    )


def a_lock() -> Held:
    """Somebody who is in the middle of a run."""
    return Held("9c2e", "etl", "ci-runner-7", 77, "apply", NOW - 300, run=42, heard=NOW - 6, done=0.61)


def a_status() -> Status:
    """One mapping of every standing."""
    mappings = [
        MappingStatus("docs", last_success=NOW - 240, last_run=42),
        MappingStatus("tables", failing_since=NOW - 26 * 3600, last_run=42, failed=True),
        MappingStatus("data", last_success=NOW - 60, conflicts=2),
        MappingStatus("fresh"),
        MappingStatus("busy", last_success=NOW - 60, open=a_run()),
        MappingStatus("dead", last_success=NOW - 60, open=Run(41, "destroy", NOW - 90)),
    ]
    return Status(NOW, mappings, a_lock(), a_run(), orphans=[("s3://acme/old", 3)])


def undone() -> list[Undone]:
    """A rollback that could not do everything."""
    return [
        Undone("docs", "a.txt", "restored"),
        Undone("docs", "b.txt", "kept", "changed since"),
        Undone("docs", "big.iso", "cannot", "no copy"),
    ]
