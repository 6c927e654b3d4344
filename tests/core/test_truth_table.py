"""Every cell there is: (source, record, target), each in seven states, under every policy, against `truth_table.txt`.

A line of the table holds the three states, the answer under the default policies, and the policies that change it; of
several that apply, the first one named holds. `UPDATE_GOLDEN=1 pytest tests/core` writes it anew, to be read in review.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import product
import os
from pathlib import Path

from msgspec.structs import replace
import pytest

from reconcile.core.change import Action
from reconcile.core.decide import Decision
from reconcile.core.errors import CorruptStateError
from reconcile.core.policy import Policy
from tests.core.cells import CONTENTS, WORDS, Cell, answer

TABLE = Path(__file__).with_name("truth_table.txt")
TITLE = "# source record target | the default policies | the policies that change it: the first that applies holds\n"
TIMES = {"newest-source": (2, 1), "newest-target": (1, 2), "newest-tie": (1, 1)}
CHOICES: dict[str, tuple[str, ...]] = {
    "delete": ("true", "false"),
    "unmanaged": ("keep", "delete"),
    "drift": ("restore", "keep", "fail"),
    "conflict": ("fail", "source", "target", *TIMES),
}
DEFAULTS = {name: choices[0] for name, choices in CHOICES.items()}
SINGLE = [(name, choice) for name, choices in CHOICES.items() for choice in choices[1:]]
ALL = [dict(zip(CHOICES, choices, strict=True)) for choices in product(*CHOICES.values())]
CELLS = [Cell(*words) for words in product(WORDS, repeat=3)]
MUTATING = {Action.CREATE, Action.UPDATE, Action.DELETE, Action.MOVE}


def decided(cell: Cell, chosen: dict[str, str]) -> Decision | None:
    """What the core says of a cell under policies as the table words them."""
    conflict = chosen["conflict"]
    here, there = TIMES.get(conflict, (1, 2))
    policy = Policy(
        delete=chosen["delete"] == "true",
        unmanaged=chosen["unmanaged"],  # type: ignore[arg-type]
        drift=chosen["drift"],  # type: ignore[arg-type]
        conflict="newest" if conflict in TIMES else conflict,  # type: ignore[arg-type]
    )
    return replace(cell, source_mtime=here, target_mtime=there).decide(policy)


def told(cell: Cell, chosen: dict[str, str]) -> str:
    """In words; `refused`: the state cannot be read, so nothing is planned at all."""
    try:
        return answer(decided(cell, chosen))
    except CorruptStateError:
        return "refused"


def line(cell: Cell) -> str:
    usual = told(cell, DEFAULTS)
    others = [(f"{name}={choice}", told(cell, {**DEFAULTS, name: choice})) for name, choice in SINGLE]
    changed = "; ".join(f"{policy}: {other}" for policy, other in others if other != usual)
    return f"{cell.source:9} {cell.record:9} {cell.target:9} | {usual:24} | {changed}".rstrip()


@cache
def table() -> dict[tuple[str, ...], tuple[str, dict[str, str]]]:
    """The table as it is written: states → (default answer, {policy: answer})."""
    rows = {}
    for row in TABLE.read_text(encoding="utf-8").splitlines():
        if row and not row.startswith("#"):
            states, usual, others = (part.strip() for part in f"{row} ".split("|"))
            pairs = (other.split(": ") for other in others.split("; ") if other)
            rows[tuple(states.split())] = (usual, dict(pairs))
    return rows


def by_table(cell: Cell, chosen: dict[str, str]) -> str:
    usual, others = table()[cell.source, cell.record, cell.target]
    applies = (other for policy, other in others.items() if chosen[policy.split("=")[0]] == policy.split("=")[1])
    return next(applies, usual)


def test_the_table_is_written() -> None:
    written = TITLE
    for cell in CELLS:
        written += ("\n" if cell.target == WORDS[0] and cell.record == WORDS[0] else "") + line(cell) + "\n"
    if os.environ.get("UPDATE_GOLDEN"):
        TABLE.write_text(written, encoding="utf-8")
        table.cache_clear()
    assert TABLE.read_text(encoding="utf-8") == written


@pytest.mark.hazard("P20")
def test_every_cell_under_every_policy_is_as_the_table_says() -> None:
    assert len(table()) == 343
    wrong = [
        (cell, chosen, said)
        for cell in CELLS
        for chosen in ALL
        if (said := told(cell, chosen)) != by_table(cell, chosen)
    ]
    assert wrong == []


def decisions() -> Iterator[tuple[Cell, dict[str, str], Decision]]:
    for cell in CELLS:
        for chosen in ALL if cell.record != "unknown" else ():
            decision = decided(cell, chosen)
            if decision is not None:
                yield cell, chosen, decision


@pytest.mark.hazard("P20")
def test_the_laws_of_every_cell() -> None:
    for cell, chosen, decision in decisions():
        words = (cell.source, cell.record, cell.target)
        case = f"{words} {chosen}: {answer(decision)}"
        seen = cell.target_version() if cell.target in CONTENTS else ""
        assert decision.problem or decision.expect == seen, f"bound to what was not seen: {case}"
        if decision.action not in MUTATING:
            continue
        assert "unknown" not in words, f"acts on what is unknown: {case}"
        assert cell.target != "special", f"writes over what is no file: {case}"
        if decision.action is Action.DELETE:
            assert cell.source in ("absent", "directory"), f"deletes what is not proven gone: {case}"
            assert cell.record in CONTENTS or chosen["unmanaged"] == "delete", f"deletes what is not ours: {case}"
        strange = cell.target in CONTENTS and cell.target not in (cell.record, cell.source)
        if strange:
            allowed = chosen["conflict"] in ("source", "newest-source") or decision.drift
            assert allowed or decision.reason == "unmanaged", f"takes away what nobody knows: {case}"
            assert decision.overwrites_foreign or decision.reason == "unmanaged", f"keeps no copy: {case}"


@pytest.mark.parametrize(
    "other",
    [
        {"hashed": False},
        {"sizes": {"A": 1, "B": 2, "C": 3}},
        {"sizes": {"A": 1, "B": 2, "C": 3}, "hashed": False},
        {"settled": False},
        {"settled": False, "hashed": False},
        {"version": "touched"},
        {"version": "touched", "settled": False, "hashed": False},
    ],
    ids=str,
)
def test_how_a_fact_is_learnt_changes_nothing(other: dict[str, object]) -> None:
    """By the size, from the cache, by reading, past a touch: the answers are those of the table."""
    for cell in CELLS:
        twin = replace(cell, **other)  # type: ignore[arg-type]
        agreed = cell.source == cell.record == cell.target and "version" in other
        for chosen in ({**DEFAULTS, name: choice} for name, choice in [*SINGLE, *DEFAULTS.items()]):
            meant = by_table(cell, chosen)
            meant = "adopt equal" if agreed and meant == "-" and cell.source in CONTENTS else meant  # the new version
            assert told(twin, chosen) == meant, (twin, chosen)


def test_a_store_that_proves_nothing_never_makes_it_bolder() -> None:
    """Without proof of equality nothing is deleted or overwritten that would not have been, if it differed."""
    for cell in CELLS:
        blind = replace(cell, proves=False, version=f"{cell.target} unproven")
        for chosen in ALL if cell.record != "unknown" else ():
            decision = decided(blind, chosen)
            if decision is not None and decision.action in MUTATING and cell.target in CONTENTS:
                assert decision.overwrites_foreign or decision.reason == "unmanaged", (blind, chosen, decision)
