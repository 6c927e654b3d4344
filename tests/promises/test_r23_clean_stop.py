"""R23: SIGINT or SIGTERM: no new action begins, what was begun is finished and recorded, the lock is released, 130.

A second signal ends the process at once, wherever it hangs, and R1 holds: the next apply makes all of it good.
"""

from __future__ import annotations

from itertools import count
import os
from pathlib import Path
import shutil
import signal
import threading
import time
from typing import Any

import pytest

from reconcile.ports import HOOKS, Holder, Store
from reconcile.state import lease
from reconcile.stores.objects import s3_multipart
from reconcile.stores.wrapper import Wrapper
from tests.crash.signalled import Ended, Sends, run_forked, start_forked
from tests.flow.small_trees import make
from tests.flow.world import World
from tests.servers import moto_s3

__all__ = ["moto_s3"]

SPEC = "version: 1\nstate: {root}/state/reconcile.db\nmappings:\n  docs: {{source: {root}/src, target: {target}}}\n"
BEFORE = {"edited": "old", "gone": "to go", "old-name": "moved", "a": "one", "b": "other", "file": "1", "dir/x": "2"}
AFTER = {"edited": "new", "new-name": "moved", "a": "other", "b": "one", "file/x": "1", "dir": "2", "fresh": "3"}
APPLY = ["apply", "--auto-approve"]


def ready(root: Path, before: dict[str, str] = BEFORE) -> World:
    """A world with much to do, and a spec that says the same to the command."""
    root.mkdir()
    world = World(root)
    (root / "reconcile.yaml").write_text(SPEC.format(root=root, target=world.target))
    make(world.src, before)
    assert world.apply().exit_code == 0
    make(world.src, AFTER)
    world.write("stranger", "not ours", world.out)
    return world


def check(world: World, ended: Ended, codes: set[int]) -> None:
    """It ended in good order and showed nothing of its inside; nobody holds the lock; the next apply ends it."""
    assert ended.code in codes, ended
    assert "Traceback" not in ended.said, ended
    assert holder(world) is None
    world.settled()
    assert world.there() == {**AFTER, "stranger": "not ours"}


def holder(world: World) -> Holder | None:
    """Who holds the lock."""
    with world.house(write=False) as house:
        return lease.show(house.state)


def stop_at(root: Path, number: int, at: int) -> int:
    world = ready(root)
    ended = run_forked(root, APPLY, Sends(number, at))
    check(world, ended, {0, 130})
    shutil.rmtree(root)
    return ended.code


@pytest.mark.hazard("T27")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_ends_cleanly_at_any_step(tmp_path: Path, number: int) -> None:
    """A sample; the campaign takes every moment."""
    codes = [stop_at(tmp_path / str(at), number, at) for at in range(3, 330, 36)]
    assert codes.count(130) >= 5, "the sample meets the run in its midst"


@pytest.mark.campaign
@pytest.mark.hazard("T27")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_ends_cleanly_at_every_step(tmp_path: Path, number: int) -> None:
    steps = run_forked(ready(tmp_path / "whole").root, APPLY).steps
    for at in range(2 * len(steps)):
        stop_at(tmp_path / str(at), number, at)


@pytest.mark.hazard("T27")
@pytest.mark.parametrize("at", range(0, 240, 30))
def test_the_second_signal_ends_at_once_and_nothing_is_lost(tmp_path: Path, at: int) -> None:
    """At the step after the first signal the process hangs, in whatever thread takes it."""
    world = ready(tmp_path / "world")
    began = time.monotonic()
    ended = run_forked(world.root, APPLY, Sends(signal.SIGINT, at, twice=True))
    assert time.monotonic() - began < 25, "it did not wait for what hangs"
    assert ended.code == 130, ended
    world.settled()
    assert world.there() == {**AFTER, "stranger": "not ours"}


class Gated(Wrapper):
    """A store whose writes wait at a gate; `waiting` is set when so many are there."""

    def __init__(self, inner: Store, many: int) -> None:
        super().__init__(inner)
        self.began: list[str] = []
        self.waiting, self.gate = threading.Event(), threading.Event()
        self._many = many

    def _call(self, verb: str, key: str, run: Any) -> Any:
        if verb == "write":
            self.began.append(key)
            if len(self.began) >= self._many:
                self.waiting.set()
            assert self.gate.wait(30)
        return run()


@pytest.mark.hazard("T27")
def test_no_action_begins_after_the_signal_was_seen(tmp_path: Path) -> None:
    world, stop, gates = World(tmp_path), threading.Event(), []

    def gated(store: Store) -> Store:
        gates.append(Gated(store, many=4))
        return gates[-1]

    make(world.src, {f"f{number:03}": "x" for number in range(300)})
    world.around = gated
    results: list[Any] = []
    run = threading.Thread(target=lambda: results.append(world.apply(stop=stop)))
    run.start()
    while not gates:
        time.sleep(0.01)
    assert gates[0].waiting.wait(30)
    begun = sorted(gates[0].began)
    stop.set()
    gates[0].gate.set()
    run.join()
    assert sorted(gates[0].began) == begun, "what came after the signal never began"
    assert (results[0].exit_code, results[0].stopped) == (130, True)
    assert results[0].success_count == len(begun) < 300
    assert results[0].left == 300 - len(begun)
    world.around = None
    assert set(world.there()) == set(begun), "what was begun is finished"
    world.settled()


def test_while_the_lock_is_waited_for(tmp_path: Path) -> None:
    world = ready(tmp_path / "world")
    assert run_forked(world.root, ["lock", "hold", "--reason", "test"]).code == 0
    ended = run_forked(world.root, [*APPLY, "--lock-timeout", "10m"], Sends(signal.SIGINT, 8))
    assert (ended.code, "Traceback" in ended.said) == (130, False), ended


@pytest.mark.parametrize("words", [["plan"], APPLY, [*APPLY, "--json"]])
def test_while_a_plan_is_made(tmp_path: Path, words: list[str]) -> None:
    """Nobody waits for a listing that hangs: nothing was begun."""
    from reconcile.cli import plan as plan_verb
    from reconcile.flow import applying

    def hanging(*_told: object) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(30)

    def prepare() -> None:
        plan_verb.make_plan = applying.make_plan = hanging

    world = ready(tmp_path / "world")
    ended = run_forked(world.root, words, prepare=prepare)
    assert "--json" not in words or '"exit_code":130' in ended.said
    check(world, ended, {130})


@pytest.mark.hazard("R31")
@pytest.mark.parametrize("at", [1, 4])
def test_in_the_midst_of_a_large_upload(tmp_path: Path, moto_s3: Any, monkeypatch: pytest.MonkeyPatch, at: int) -> None:
    """The parts under way are finished, the others never sent, the upload is given up: no object, no leftover."""
    monkeypatch.setattr(s3_multipart, "PART_BYTES", 5 << 20)
    monkeypatch.setattr(s3_multipart, "AT_ONCE", 2)
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto_s3.endpoint)
    bucket = moto_s3.bucket()
    world = World(tmp_path, f"s3://{bucket}/there")
    (tmp_path / "reconcile.yaml").write_text(SPEC.format(root=tmp_path, target=world.target))
    with world.write("big", b"").open("r+b") as file:
        file.truncate(40 << 20)
    parts, numbers = tmp_path / "parts", count(1)

    def send_at_part(step: str, told: tuple[Any, ...], done: bool) -> None:
        if step == "wire.put" and "partNumber" in told[1].url and not done:
            with parts.open("a") as begun:
                begun.write(".")
            if next(numbers) == at:  # two may begin at once
                os.kill(os.getpid(), signal.SIGINT)

    ended = run_forked(tmp_path, APPLY, prepare=lambda: HOOKS.append(send_at_part))
    assert ended.code == 130, ended
    assert at <= parts.stat().st_size <= at + 3 < 8, "parts that were under way, and no others"
    assert moto_s3.client.list_objects_v2(Bucket=bucket, Prefix="there/big")["KeyCount"] == 0
    assert "Uploads" not in moto_s3.client.list_multipart_uploads(Bucket=bucket)
    assert run_forked(tmp_path, ["lock", "show"]).said == "Lock free.\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("at", [60, None])
def test_a_watch_ends_with_0(tmp_path: Path, number: int, at: int | None) -> None:
    """In the midst of a pass, and while it waits."""
    world = ready(tmp_path / "world")
    said, steps = tmp_path / "said", tmp_path / "steps"
    pid = start_forked(world.root, ["watch"], said, steps, Sends(number, at) if at is not None else None)
    if at is None:
        until = time.monotonic() + 20
        while "in sync" not in (said.read_text() if said.exists() else "") and time.monotonic() < until:
            time.sleep(0.02)
        os.kill(pid, number)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    check(world, Ended(code, said.read_text(), []), {0})


WRITERS = (
    ["destroy", "--auto-approve"], ["adopt"], ["conflicts", "resolve", "--source", "edited"], ["state", "rm", "edited"],
    ["reset", "--auto-approve"], ["lock", "hold", "--reason", "x"], ["rollback", "--auto-approve", "--no-hold"], ["gc"],
)  # fmt: skip


@pytest.mark.hazard("T27")
@pytest.mark.parametrize("words", WRITERS, ids=lambda words: words[0])
def test_every_verb_that_writes_ends_cleanly(tmp_path: Path, words: list[str]) -> None:
    """No lock is left behind, no inside shown, and what it was about is neither lost nor half done."""
    steps = len(run_forked(ready(tmp_path / "whole").root, words).steps)
    for at in sorted({1, steps // 3, steps // 2, steps - 2}):
        world = ready(tmp_path / f"at-{at}")
        ended = run_forked(world.root, words, Sends(signal.SIGTERM, at))
        assert ended.code in (0, 130), ended
        assert "Traceback" not in ended.said, ended
        held = holder(world)
        assert held is None or (words[0] == "lock" and held.hold), (at, ended)
        world.plan()
