"""R13: any request may be done and its reply lost; a retry, or the next run, recognises its own effect."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
import shutil

import pytest

from reconcile.core.errors import BusyError
from tests.fakes.s3 import FakeS3
from tests.fakes.s3_faults import Act, Answer, fail_after, lose_after, tell
from tests.flow.small_trees import make
from tests.flow.test_faults import AFTER, BEFORE, Faulty
from tests.flow.world import World
from tests.promises.worlds import local, remote, s3

__all__ = ["local", "remote", "s3"]

LOST: dict[str, Act] = {
    "cut off": lose_after(),
    "500": fail_after(),
    "503": fail_after(503, "SlowDown"),
    "no word": tell(lambda _told: Answer()),
    "half a word": tell(lambda told: replace(told, cut=len(told.body) // 2)),
}


@pytest.mark.hazard("R08", "R13", "R31")
@pytest.mark.parametrize("how", LOST)
@pytest.mark.parametrize("op", ["put", "copy", "bulk", "begin", "part", "complete"])
def test_every_first_reply_of_an_op_is_lost_and_the_run_does_not_notice(
    s3: FakeS3, remote: World, op: str, how: str
) -> None:
    before, after = BEFORE | {"large": "old " * 50}, AFTER | {"large": "new " * 50}
    make(remote.src, before)
    remote.settled()
    make(remote.src, after)
    seen: set[str] = set()

    def first(request: object) -> bool:
        told = str((request.key, request.query.get("partNumber")))  # type: ignore[attr-defined]
        return told not in seen and not seen.add(told)  # type: ignore[func-returns-value]

    fault = s3.fault(op, LOST[how], where=first, times=1_000)
    result = remote.apply()
    assert fault.fired
    assert result.exit_code == 0, [outcome for outcome in result.outcomes if outcome.outcome != "done"]
    s3.heal()
    assert remote.there() == after
    remote.settled()


@pytest.mark.hazard("R13")
@pytest.mark.parametrize("op", ["put", "complete", "copy", "bulk"])
def test_replies_that_never_come_are_settled_by_the_next_run(s3: FakeS3, remote: World, op: str) -> None:
    """What was done is recorded then, not sent again."""
    remote.put(small="old", large="old " * 50, name="moved about", gone="1")
    remote.settled()
    remote.put(small="new", large="new " * 50)
    remote.move("name", "renamed")
    remote.remove("gone")
    fault = s3.fault(op, fail_after(), times=1_000)
    remote.apply()
    assert fault.fired
    s3.heal()
    s3.log.clear()
    remote.settled()
    assert remote.there() == remote.here()
    if op in ("put", "complete"):
        assert not [one for one in s3.ops(op) if one.key in ("team/small", "team/large")]


@pytest.mark.hazard("R13")
def test_a_directory_whose_answer_was_lost_is_settled_by_the_next_run(local: World, tmp_path: Path) -> None:
    lost = 0
    for at in range(100):
        world = World(tmp_path / str(at), "", local.options, clock=local.clock)
        make(world.src, BEFORE)
        world.settled()
        make(world.src, AFTER)
        faults: list[Faulty] = []
        world.around = lambda store: faults.append(Faulty(store, at, BusyError("lost"), late=True)) or faults[-1]  # noqa: B023
        result = world.apply()
        world.around = None
        if not faults[-1].fired:
            break
        lost += 1
        assert result.exit_code == 7
        world.settled()
        assert world.there() == AFTER, faults[-1].fired
        shutil.rmtree(world.root)
    assert lost > 20
