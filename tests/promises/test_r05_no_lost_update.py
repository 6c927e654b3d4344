"""R5: we never overwrite or delete a version we have not seen, however late it came; where a service compares nothing
we look just before, and say in every plan that the promise is weaker.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

import pytest

from reconcile.report.json import plan_document
from reconcile.report.markdown import plan_markdown
from reconcile.report.text import plan_lines
from reconcile.stores.wrapper import Wrapper
from tests.fakes.s3 import FakeS3
from tests.fakes.s3_faults import Answer, Request, Work
from tests.flow.world import World
from tests.promises.worlds import changes, local, remote, s3

__all__ = ["local", "remote", "s3"]

T = TypeVar("T")
STRANGER = "a stranger's work"


def changed(world: World) -> None:
    """In sync; then a small and a large edit, a new file, a rename, a delete."""
    world.put(edited="old", large="old " * 50, gone="1", name="moved about")
    world.settled()
    world.put(edited="new", large="new " * 50, fresh="new")
    world.move("name", "renamed")
    world.remove("gone")


@pytest.mark.hazard("R18", "R20")
@pytest.mark.parametrize(
    ("op", "key"),
    [
        ("put", "edited"),
        ("put", "fresh"),
        ("complete", "large"),
        ("copy", "renamed"),
        ("bulk", "gone"),
        ("bulk", "name"),
    ],
)
def test_a_stranger_who_is_quicker_keeps_what_he_wrote(s3: FakeS3, remote: World, op: str, key: str) -> None:
    """He writes after the last look, at the moment of the request itself."""
    changed(remote)

    def first_he(request: Request, work: Work) -> Answer:
        s3.put(f"team/{key}", STRANGER.encode())
        return work(request)

    def where(request: Request) -> bool:
        return op == "bulk" or request.key == f"team/{key}"

    times = 100 if op == "bulk" else 1
    fault = s3.fault(op, first_he, where=where, times=times)
    result = remote.apply()
    assert fault.fired
    assert s3.objects[f"team/{key}"].data == STRANGER.encode()
    assert result.exit_code in (3, 7)
    assert [outcome for outcome in result.outcomes if outcome.outcome == "conflict"]
    s3.heal()
    remote.apply()
    assert s3.objects[f"team/{key}"].data == STRANGER.encode(), "nor does the next run, without being told to"


class Intruder(Wrapper):
    """Somebody who writes a file of the target just before we change that very file."""

    def __init__(self, inner: Any, world: World, verb: str, key: str) -> None:
        super().__init__(inner)
        self._world, self._verb, self._key = world, verb, key
        self.fired = 0

    def _call(self, verb: str, key: str, run: Callable[[], T]) -> T:
        if verb == self._verb and key.rpartition("/")[2] == self._key and not self.fired:
            self.fired += 1
            self._world.write(self._key, STRANGER, base=self._world.out)
        return run()


@pytest.mark.hazard("R18", "R20")
@pytest.mark.parametrize(
    ("verb", "key"),
    [("write", "edited"), ("write", "fresh"), ("move", "renamed"), ("move", "gone"), ("write", "large")],
)
def test_nor_is_a_file_of_a_directory_lost(local: World, verb: str, key: str) -> None:
    changed(local)
    intruders: list[Intruder] = []

    def around(store: Any) -> Any:
        intruders.append(Intruder(store, local, verb, key))
        return intruders[-1]

    local.around = around
    result = local.apply()
    assert intruders[-1].fired
    assert result.exit_code in (3, 7)
    assert STRANGER in local.there().values()
    local.around = None
    assert local.there()[key] == STRANGER


def said(world: World) -> str:
    """What a plan says of the conditions, the same on each of its surfaces."""
    plan = world.plan()
    [told] = [part["conditions"] for part in plan_document(plan)["mappings"]]
    for surface in ("\n".join(plan_lines(plan)), plan_markdown(plan)):
        assert ("conditions: " in surface) == bool(told), surface
        assert f"conditions: {told}" in surface or not told
    return str(told)


@pytest.mark.hazard("R21")
@pytest.mark.parametrize("ignored", ["if-match", "if-none-match", "x-amz-copy-source-if-match"])
def test_a_service_that_ignores_a_condition_is_found_out_and_every_plan_says_so(
    s3: FakeS3, remote: World, ignored: str
) -> None:
    """Before any apply nothing is proven; the first one probes, and what it found is remembered."""

    def without(request: Request, work: Work) -> Answer:
        return work(replace(request, headers={k: v for k, v in request.headers.items() if k != ignored}))

    for op in ("put", "copy", "delete", "complete"):
        s3.fault(op, without, times=10_000)
    remote.put(a="1", b="2")
    assert said(remote) == "unproven"
    remote.settled()
    remote.put(a="one")
    assert said(remote) == {"if-match": "stat", "if-none-match": "stat", "x-amz-copy-source-if-match": ""}[ignored]
    s3.put("team/b", STRANGER.encode())
    remote.put(b="two")
    assert remote.apply().exit_code == 3
    assert s3.objects["team/b"].data == STRANGER.encode(), "who came before the last look is seen all the same"


@pytest.mark.hazard("R21")
def test_a_service_that_compares_is_found_out_once(s3: FakeS3, remote: World) -> None:
    remote.put(a="1")
    remote.settled()
    assert remote.plan().mappings[0].conditions == ""
    s3.log.clear()
    remote.put(a="2")
    remote.settled()
    assert not [told for told in changes(s3) if "probe" in told]
