"""Why a plan is dangerous. Pure: totals in, refusals out; no guard ever acts."""

from __future__ import annotations

from collections.abc import Collection

from msgspec import Struct

from reconcile.core.change import Refusal
from reconcile.core.policy import GuardLimits

VANISHED_SHARE = 0.5
"""A target that lost more than this share of what we put there has been wiped or swapped, not edited."""


class Totals(Struct, frozen=True):
    """What the guards see of one mapping: counts of paths."""

    records: int = 0
    sources: int = 0
    targets: int = 0
    deletes: int = 0
    unmanaged_deletes: int = 0
    updates: int = 0
    lost: int = 0
    first_run: bool = False
    new_disk: bool = False
    source_known: bool = True


def refusals(mapping: str, totals: Totals, limits: GuardLimits, allowed: Collection[str] = ()) -> list[Refusal]:
    """Every reason to refuse the mapping; those covered by a permission are marked `allowed`.

    `allowed` holds permissions as given by `--allow`: `deletes`, or `deletes:MAPPING`.
    """
    found = [*_source(totals, limits), *_deletes(totals, limits), *_updates(totals, limits), *_target(totals, limits)]
    return [
        Refusal(mapping, permission, detail, _permits(allowed, permission, mapping)) for permission, detail in found
    ]


def _permits(allowed: Collection[str], permission: str, mapping: str) -> bool:
    return permission in allowed or f"{permission}:{mapping}" in allowed


def _source(totals: Totals, limits: GuardLimits) -> list[tuple[str, str]]:
    found = []
    if totals.sources == 0 and totals.records >= limits.min_files and totals.deletes and totals.source_known:
        found.append(("empty-source", f"the source is empty, {totals.records:,} paths are recorded"))
    if totals.new_disk and totals.deletes:
        found.append(("new-disk", f"the source is on another file system than last time, {totals.deletes:,} deletes"))
    return found


def _deletes(totals: Totals, limits: GuardLimits) -> list[tuple[str, str]]:
    found = []
    if totals.records >= limits.min_files and limits.max_delete.exceeded(totals.deletes, totals.records):
        found.append(("deletes", f"would delete {_share(totals.deletes, totals.records, limits.max_delete.share)}"))
    if totals.unmanaged_deletes:
        listed = totals.targets
        if totals.first_run:
            found.append(("deletes", f"would delete {totals.unmanaged_deletes:,} unmanaged paths on a first run"))
        elif listed >= limits.min_files and limits.max_delete.exceeded(totals.unmanaged_deletes, listed):
            told = _share(totals.unmanaged_deletes, listed, limits.max_delete.share)
            found.append(("deletes", f"would delete {told} that are not ours"))
    return found


def _updates(totals: Totals, limits: GuardLimits) -> list[tuple[str, str]]:
    if totals.records >= limits.min_files and limits.max_update.exceeded(totals.updates, totals.records):
        return [("updates", f"would overwrite {_share(totals.updates, totals.records, limits.max_update.share)}")]
    return []


def _target(totals: Totals, limits: GuardLimits) -> list[tuple[str, str]]:
    if totals.records >= limits.min_files and totals.lost > VANISHED_SHARE * totals.records:
        return [("target-vanished", f"{totals.lost:,} of {totals.records:,} paths are gone from the target")]
    return []


def _share(count: int, of: int, limit: float | None) -> str:
    percent = f" ({count / of:.0%}, limit {limit:.0%})".replace("%", " %") if of and limit is not None else ""
    return f"{count:,} of {of:,} files{percent}"
