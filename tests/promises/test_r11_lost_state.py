"""R11: a lost state is safe. Without a state, what equals its source is adopted, all else waits as a conflict; nothing
is deleted and nothing overwritten, on a disk or in a bucket.

A policy that says of itself that it deletes or overwrites is still held to that: `unmanaged: delete` needs a permission
where no run was ever completed, and `conflict: source` keeps the bytes it replaces.
"""

from __future__ import annotations

from pathlib import Path
import shutil
from typing import Any

import pytest

from reconcile.core.plan import Plan
from reconcile.flow.clock import RealClock
from reconcile.state.pushing import push
from tests.flow.watchers import Counting, mutations
from tests.flow.world import World
from tests.servers import KEY_ID, SECRET, Server, moto_s3  # noqa: F401 - a fixture

FILES = {"same": "1", "edited": "2", "gone": "3", "renamed": "a text to be moved", "deep/same": "5"}


@pytest.fixture(params=["local", "s3"])
def world(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """All was applied; then somebody edits, removes and renames in the source, and the state is lost."""
    target = ""
    if request.param == "s3":
        server: Server = request.getfixturevalue("moto_s3")
        for name, value in {"ENDPOINT_URL": server.endpoint, "REGION": "us-east-1"}.items():
            monkeypatch.setenv(f"AWS_{name}", value)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY_ID)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
        target = f"s3://{server.bucket()}/team"
    world = World(tmp_path, target)
    for name, text in FILES.items():
        world.write(name, text)
    world.settled()
    world.put(edited="two", new="6")
    world.remove("gone")
    world.move("renamed", "new_name")
    lose(world)
    return world


def lose(world: World) -> None:
    """The state is gone, and with it all that this machine remembers."""
    shutil.rmtree(world.root / "state")
    for cache in Path.home().glob(".cache/reconcile*"):
        shutil.rmtree(cache)


def applied(world: World, **options: Any) -> tuple[int, set[str]]:
    """The exit code of an apply, and the keys it wrote or deleted."""
    calls: list[tuple[str, str]] = []
    world.around = lambda store: Counting(store, calls)
    code = world.apply(**options).exit_code
    world.around = None
    return code, {key for _, key in mutations(calls) if not key.startswith(".reconcile")}


@pytest.mark.hazard("T01")
def test_what_is_equal_is_adopted_and_all_else_stays(world: World) -> None:
    code, touched = applied(world)
    assert code == 3, "what differs waits for a person"
    assert touched == {"new", "new_name"}, "only what was in nobody's place is written"
    assert world.there() == FILES | {"new": "6", "new_name": FILES["renamed"]}
    assert world.told() == []


@pytest.mark.hazard("T01")
def test_whose_policy_deletes_strangers_is_asked_first(world: World) -> None:
    world.options["unmanaged"] = "delete"
    code, touched = applied(world)
    assert (code, touched) == (4, set())
    assert world.there() == FILES


@pytest.mark.hazard("T01")
@pytest.mark.parametrize("conflict", ["source", "newest"])
def test_whose_policy_overwrites_keeps_the_bytes(world: World, conflict: str) -> None:
    world.options["conflict"] = conflict
    _, touched = applied(world)
    assert touched == {"new", "new_name", "edited"}
    with world.house(write=False) as house:
        target = house.mappings[0].target
        (run,) = house.state.runs()
        kept = {outcome.key: outcome.kept for outcome in house.state.outcomes(run.id)}["edited"]
        assert b"".join(target.read(kept)) == FILES["edited"].encode()
    assert world.there()["gone"] == FILES["gone"]


@pytest.mark.hazard("O06")
def test_a_fresh_clone_sends_nothing_again(world: World, tmp_path: Path) -> None:
    """A CI runner without a state finds what is there, and later finds what was removed."""
    clone = World(tmp_path / "clone", world.target)
    for name, text in FILES.items():
        clone.write(name, text)
    code, touched = applied(clone)
    assert (code, touched) == (0, set())
    clone.remove("gone")
    assert clone.told() == ["delete gone"]


@pytest.mark.hazard("O06")
def test_a_clone_that_shares_the_state_finds_what_was_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two checkouts, one shared state: a file removed in the second is deleted, though it never sent it."""
    shared = tmp_path / "shared"
    shared.mkdir()
    monkeypatch.setattr("reconcile.flow.wire.is_local", lambda _path: False)  # as a mounted directory of the team
    for name in ("first", "second"):
        monkeypatch.setenv("RECONCILE_CACHE_DIR", str(tmp_path / f"cache-{name}"))
        (tmp_path / name / "src").mkdir(parents=True)
        for file, text in FILES.items():
            path = tmp_path / name / "src" / file
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        if name == "second":
            (tmp_path / name / "src" / "gone").unlink()
        (tmp_path / name / "reconcile.yaml").write_text(
            f"version: 1\nstate: {shared}\nmappings:\n  docs: {{source: ./src, target: {tmp_path / 'there'}}}\n"
        )
        from reconcile.cli.main import run

        assert run(["-C", str(tmp_path / name), "apply", "--auto-approve"]) == 0
    assert not (tmp_path / "there" / "gone").exists()
    assert (tmp_path / "there" / "same").exists()


@pytest.mark.hazard("T26")
def test_a_state_that_is_ahead_of_the_target_is_told_and_mended(world: World) -> None:
    """A person took bytes away behind our back: `verify` says which, the next apply puts them back."""
    from reconcile.flow.verifying import verify

    world.options["conflict"] = "source"
    world.settled()
    with world.house(write=True) as house:
        target = house.mappings[0].target
        same, deep = target.stat("same"), target.stat("deep/same")
        assert target.delete([("same", same.version)]) == [None]
        target.copy(target.stat("new"), "deep/same", expect=deep.version)
    with world.house(write=False) as house:
        found = verify(house, lambda _event: None)
    assert {difference.key for difference in found.differences} == {"same", "deep/same"}
    assert found.exit_code == 8
    world.settled()
    assert {key: world.there()[key] for key in ("same", "deep/same")} == {"same": "1", "deep/same": "5"}


@pytest.mark.hazard("T01")
def test_the_copies_of_a_lost_state_are_offered_and_outlive_what_begins_in_its_place(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.put(a="1", b="2")
    world.settled()
    state = Path(world.state)
    [copy] = state.parent.glob("reconcile.db.g*")
    content = copy.read_bytes()
    state.unlink()
    world.put(b="3")
    offer = "the state is gone and begins anew; a copy of it: reconcile state push {} --force"
    assert world.plan().mappings[0].notices == [offer.format(copy)]
    asked: list[list[str]] = []

    def approve(plan: Plan) -> bool:
        asked.append(plan.mappings[0].notices)
        return True

    assert world.apply(approve=approve).exit_code == 3
    kept = state.with_name("reconcile.db.replaced-1")
    assert asked == [[offer.format(kept)]]
    assert kept.read_bytes() == content
    assert world.plan().mappings[0].notices == []
    push(str(state), str(kept), clock=RealClock(), force=True)
    assert world.told() == ["update b"]
