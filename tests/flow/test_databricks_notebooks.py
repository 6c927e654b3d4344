"""What a workspace makes of notebooks, and what a plan and `verify` make of that."""

from __future__ import annotations

from collections.abc import Iterator
import json

import pytest

from reconcile.flow.verifying import verify
from tests.fakes.databricks import Emulator, faults
from tests.flow.small_trees import make
from tests.flow.world import World
from tests.stores.fakes import OwnClock

ROOT = "/Workspace/Shared/docs"
HEADER = "# Databricks notebook source\n"
IMPORT = "/api/2.0/workspace/import"
LOOKS = {"GET /api/2.0/workspace/list"}


def jupyter(*sources: str) -> str:
    cells = [{"cell_type": "code", "source": source.splitlines(keepends=True), "outputs": []} for source in sources]
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


TREE = {
    "etl/load.py": HEADER + "print(1)\n\n# COMMAND ----------\n\nprint(2)\n",
    "etl/query.sql": "-- Databricks notebook source\nselect 1\n",
    "look.ipynb": jupyter("print(1)\n", "print(2)"),
    "plain.py": "print(1)\n",
    "empty.py": "",
}


@pytest.fixture
def emulator(monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    with Emulator() as emulator:
        monkeypatch.setenv("DATABRICKS_HOST", emulator.url)
        monkeypatch.setenv("DATABRICKS_TOKEN", emulator.token)
        yield emulator


@pytest.fixture
def world(tmp_path, emulator: Emulator) -> World:
    options = {"guard": {"max_delete": "off", "max_update": "off"}, "concurrency": 4}
    world = World(tmp_path / "world", ROOT, options, clock=OwnClock())
    make(world.src, TREE)
    return world


def verified(world: World) -> list[str]:
    """The differences, each with its path."""
    with world.house(write=False) as house:
        found = verify(house, world.events.append)
    assert found.problems == []
    assert found.checked == len(world.here())
    return [f"{one.key} {one.why}" for one in found.differences]


def rewritten(data: bytes) -> bytes:
    """As a service gives back that keeps cells, not bytes."""
    try:
        said = json.loads(data)
    except ValueError:
        return b"\r\n".join(line.rstrip() for line in data.splitlines() if line) + b"\r\n\r\n"
    return json.dumps(said | {"metadata": {"kept": "anew"}}, indent=1).encode()


@pytest.mark.hazard("P12")
def test_a_plan_of_untouched_notebooks_exports_none(world: World, emulator: Emulator) -> None:
    world.settled()
    emulator.log.clear()
    assert world.told() == []
    asked = emulator.log.counts()
    assert set(asked) - {"GET /.well-known/databricks-config"} == LOOKS
    assert asked["GET /api/2.0/workspace/list"] == 2, "one for each directory"


def test_one_that_somebody_edited_or_moved_is_exported_and_seen(world: World, emulator: Emulator) -> None:
    world.settled()
    emulator.put(f"{ROOT}/etl/load", (HEADER + "print(3)\n").encode(), language="PYTHON")
    emulator.log.clear()
    plan = world.plan()
    assert [(one.key, str(one.reason)) for one in plan.conflicts] == [("etl/load.py", "drift-held")]
    assert 0 < emulator.log.counts()["GET /api/2.0/workspace/export"] <= 2


def test_a_notebook_that_now_has_another_language_is_not_taken_for_the_old_one(
    world: World, emulator: Emulator
) -> None:
    """Whatever is remembered, and even if nobody changed its time."""
    world.settled()

    def as_sql(entries):
        return [each | ({"language": "SQL"} if each["path"].endswith("/load") else {}) for each in entries]

    fault = emulator.faults.add(faults.listing(as_sql), "GET", "/api/2.0/workspace/list", times=None)
    emulator.log.clear()
    world.plan()
    assert fault.fired
    assert emulator.log.counts()["GET /api/2.0/workspace/export"] >= 1


@pytest.mark.hazard("R12")
@pytest.mark.parametrize("service", ["keeps bytes", "keeps cells"])
def test_verify_tells_other_text_and_not_another_layout(world: World, emulator: Emulator, service: str) -> None:
    if service == "keeps cells":
        emulator.faults.add(
            faults.keep(rewritten), "POST", "/api/2.0/workspace/import", about="(load|look)$", times=None
        )
    world.settled()
    assert verified(world) == []
    assert world.told(world.plan(checksum=True)) == [], "nor is it drift"
    emulator.faults.heal()
    damaged = HEADER + "print(1)\n"
    fault = emulator.faults.add(faults.keep(lambda _data: damaged.encode()), "POST", IMPORT, about="load$")
    world.write("etl/load.py", HEADER + "print(1)\nprint(3)\n")
    assert world.apply().exit_code == 0
    assert fault.fired == 1
    [difference] = verified(world)
    assert difference.startswith("etl/load.py holds other bytes")


@pytest.mark.parametrize(("text", "what"), [("", "is empty"), ("{}", "no JSON with cells"), ("print(1)", "no JSON")])
def test_what_is_no_jupyter_notebook_is_told_by_the_plan(
    world: World, emulator: Emulator, text: str, what: str
) -> None:
    world.write("broken.ipynb", text)
    [(_, problem)] = world.plan().problems
    assert problem.key == "broken.ipynb"
    assert what in problem.reason
    assert "exclude it" in problem.reason
    result = world.apply()
    assert result.exit_code == 7
    assert sorted(world.there()) == sorted(TREE), "the others went"
    assert not [one for one in emulator.log.of("POST") if one.path.endswith("import") and one.status >= 500]
