"""What must hold after a history of several applies: asked of the notes of the actors, the state and the target."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from typing import Any

from reconcile.core.entry import Entry
from reconcile.core.path import has_control
from reconcile.flow.clock import RealClock
from reconcile.flow.planning import PlanOptions, make_plan
from reconcile.flow.settling import overlay
from reconcile.flow.specs import load
from reconcile.flow.wire import Reach, wire
from reconcile.flow.wired import House


def never_two_writers(notes: list[dict[str, Any]]) -> None:
    """Each number was committed once, fences never went back, and a fence had one holder."""
    commits = sorted((note for note in notes if "serial" in note), key=lambda note: note["serial"])
    serials = [note["serial"] for note in commits]
    assert len(serials) == len(set(serials)), f"two commits of one number: {commits}"
    fences = [note["fence"] for note in commits]
    assert fences == sorted(fences), f"one wrote after it was replaced: {commits}"
    holders: dict[int, str] = {}
    for note in notes:
        if "id" in note:
            fence = note.get("took", note.get("fence"))
            assert holders.setdefault(fence, note["id"]) == note["id"], f"two holders of fence {fence}: {notes}"


def owner(notes: Iterable[dict[str, Any]], broken: set[str]) -> int | None:
    """The process that took the lock last, and neither began to give it back nor had it broken."""
    pid, fence = None, 0
    for note in notes:
        if "took" in note:
            pid, fence = (None if note["id"] in broken else note["pid"]), note["took"]
        elif note.get("gives") == fence:
            pid = None
    return pid


def _house(root: Path) -> House:
    return wire(load(str(root), None, {}), write=False, clock=RealClock(), reach=Reach())


def facts(root: Path) -> list[str]:
    """The records that do not tell the truth: at their version the target holds other bytes."""
    wrong = []
    with _house(root) as house:
        (wired,) = house.mappings
        for record in house.state.records(wired.scope.id):
            entry = wired.target.stat(record.key)
            if entry is None or entry.kind or entry.version != record.version:
                continue  # somebody changed it since; the next plan sees that
            found = sha256(b"".join(wired.target.read(record.key))).digest()
            if found != record.digest or entry.size != record.size:
                wrong.append(record.key)
    return wrong


def converged(root: Path, *, clean: bool) -> list[str]:
    """What keeps the target from being the source, conflicts apart where they may be."""
    source = {path.relative_to(root / "src").as_posix(): path for path in (root / "src").rglob("*") if path.is_file()}
    with _house(root) as house:
        (wired,) = house.mappings
        plan = make_plan(house, PlanOptions(overlay=overlay(house)), lambda _event: None)
        waiting = {conflict.key for conflict in plan.conflicts}
        wrong = [f"{change.action} {change.key} is left" for change in plan.changes()]
        there = {entry.key: entry for entry in wired.target.list() if isinstance(entry, Entry) and not entry.kind}
        for key, path in source.items():
            if key not in waiting and (key not in there or b"".join(wired.target.read(key)) != path.read_bytes()):
                wrong.append(f"{key} is not what the source has")
        recorded = {record.key for record in house.state.records(wired.scope.id)}
        wrong += [f"{key} is recorded, and gone" for key in recorded - there.keys() - waiting]
    return wrong + (sorted(waiting) if clean else [])


def nothing_lost(root: Path, contents: Iterable[str]) -> None:
    """Every content a stranger wrote is still there: in its place, or kept for undo."""
    files = [path for path in (root / "out").rglob("*") if path.is_file()]
    found = {path.read_text(): path for path in files if not has_control(path.name)}
    missing = [content for content in contents if content not in found]
    assert not missing, f"lost: {missing}"
