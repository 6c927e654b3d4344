"""What an apply rarely meets."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any
import uuid

from msgspec.structs import replace
import pytest

from reconcile.core.change import Action, Change, Reason
from reconcile.core.entry import ABSENT
from reconcile.core.errors import DeniedError
from reconcile.core.outcome import Outcome
from reconcile.flow import engine
from reconcile.flow.engine import Engine
from reconcile.flow.standing import Standing, standing
from reconcile.flow.step import Done, Prepared
from reconcile.ports import Intent, Traits
from reconcile.stores.memory import TRAITS
from reconcile.stores.wrapper import Wrapper
from tests.flow.failing import Failing, failing
from tests.flow.undo_kit import became, undo, why
from tests.flow.world import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path, f"memory://{uuid.uuid4().hex}", options={"guard": {"max_delete": "off"}})


# --- apply


def test_a_target_that_cannot_be_made_holds_its_mapping_back(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.put(a="1")
    made = failing(world, "ensure")
    result = world.apply()
    assert made[-1].fired
    assert (result.exit_code, [one.error for one in result.outcomes]) == (7, ["held back: ensure: may not"])


def test_what_a_guard_refuses_is_exit_code_4(world: World) -> None:
    """Also where another mapping has something to do."""
    world.write("x/b", "other", world.root)
    world.more = {"other": {"source": str(world.root / "x"), "target": f"memory://{uuid.uuid4().hex}"}}
    world.put(**{f"n{number}": "x" for number in range(12)})
    world.settled()
    world.options["guard"] = {"max_delete": "10%"}
    for number in range(8):
        world.remove(f"n{number}")
    assert world.apply().exit_code == 4
    world.write("x/b", "edited", world.root)
    result = world.apply()
    assert (result.exit_code, result.success_count) == (4, 1)


def test_only_what_was_chosen_is_done_and_nothing_is_noted_of_the_whole(world: World) -> None:
    world.put(a="1", b="2")
    result = world.apply(approve=lambda plan: {change.id for change in plan.changes() if change.key == "a"})
    assert (result.left, result.exit_code, world.there()) == (0, 0, {"a": "1"})
    with world.house(write=False) as house:
        assert standing(house.cache, house.mappings[0].scope.id) == Standing()


def test_of_a_giant_run_only_what_needs_a_person_is_kept_in_memory(world: World, monkeypatch: Any) -> None:
    monkeypatch.setattr(engine, "TOLD", 2)
    world.put(**{name: name for name in "abcd"})
    result = world.apply()
    assert (result.success_count, len(result.outcomes)) == (4, 2)
    with world.house(write=False) as house:
        assert len(list(house.state.outcomes(1))) == 4


def test_over_a_network_files_are_read_ahead_and_sent_in_batches(world: World, monkeypatch: Any) -> None:
    monkeypatch.setattr(engine, "BATCH_CHANGES", 3)
    monkeypatch.setattr(engine, "BATCH_BYTES", 50)
    made = failing(world, "", waits=True)
    world.put(**{f"n{number:02}": "x" * number for number in range(20)})
    world.settled()
    assert made
    assert world.there() == world.here()


def test_a_lone_change_that_cannot_be_prepared_or_announces_nothing() -> None:
    intended: list[Any] = []
    journal: Any = SimpleNamespace(intend=intended.append)
    nothing: Any = SimpleNamespace(is_set=lambda: False)
    change = Change(1, "docs", Action.ADOPT, "a", Reason.EQUAL)
    failed = Done(change, Outcome(1, "docs", "adopt", "a", "failed"))
    done = Done(change, Outcome(1, "docs", "adopt", "a", "done"))
    step: Any = SimpleNamespace(
        prepare=lambda _change: failed,
        publish=lambda _prepared: done,
        journal=journal,
        wired=SimpleNamespace(name="docs", concurrency=1, target=SimpleNamespace(traits=TRAITS)),
    )
    driver = Engine(step, None, None, nothing, nothing)  # type: ignore[arg-type]
    assert driver._alone(change) is failed
    step.prepare = Prepared
    assert driver._alone(change) is done
    assert intended == []
    intent = Intent(1, 1, "s", "a", "adopt", ABSENT)
    step.prepare = lambda _change: Prepared(change, intent)
    assert driver._alone(change) is done
    assert intended == [[intent]]


def test_a_move_of_a_store_that_turns_out_to_copy_nothing_is_sent(world: World) -> None:
    """The probe of `apply` finds out what the plan could not know."""
    copies = [True]

    class Learning(Wrapper):
        @property
        def traits(self) -> Traits:
            return self.inner.traits if copies[0] else replace(self.inner.traits, copy="none", move="none")

    world.put(old="content", twin="content, too")
    world.settled()
    world.around = Learning
    world.move("old", "new")
    plan = world.plan()
    assert world.told(plan) == ["move new<old"]
    result = world.apply(approve=lambda _plan: copies.clear() or copies.append(False) or True)
    assert (result.exit_code, why(result)) == (0, {})
    assert result.outcomes[0].sent_bytes == len("content")
    assert world.there() == world.here()


def test_what_was_sent_in_place_of_a_move_stays_when_the_old_name_does(world: World) -> None:
    copies = [True]

    class Learning(Failing):
        @property
        def traits(self) -> Traits:
            return self.inner.traits if copies[0] else replace(self.inner.traits, copy="none", move="none")

        def delete(self, items):  # type: ignore[no-untyped-def]
            return [DeniedError("may not", op="delete", path=key) for key, _ in items]

    world.put(old="content")
    world.settled()
    world.move("old", "new")
    world.around = lambda store: Learning(store, "")
    assert world.apply(approve=lambda _plan: copies.clear() or copies.append(False) or True).exit_code == 7
    assert world.there() == {"old": "content", "new": "content"}
    world.around = None
    assert world.apply().exit_code == 0
    assert world.there() == {"new": "content"}


def test_a_refused_bulk_of_deletes_fails_each_of_them(world: World) -> None:
    world.options["keep"] = "never"
    world.put(a="1", b="2", c="3")
    world.settled()
    world.remove("a")
    world.remove("b")
    made = failing(world, "delete")
    result = world.apply()
    assert made[-1].fired
    assert why(result) == {"a": "delete: may not", "b": "delete: may not"}


def test_a_key_whose_kept_copy_would_have_too_long_a_name_is_updated_all_the_same(world: World) -> None:
    key = "k" * 20
    world.put(**{key: "old", "short": "old"})
    world.settled()
    world.put(**{key: "new!", "short": "new!"})
    failing(world, "", max_key_bytes=len(".reconcile/undo/2-00000000/") + 10)
    assert world.apply().exit_code == 0
    result = undo(world, 2)
    assert became(result) == {"short": "restored", key: "cannot"}
    world.options["keep"] = "always"
    world.put(**{key: "newer"})
    world.apply()


def test_what_was_written_and_cannot_be_read_back_is_left_to_be_settled(world: World) -> None:
    world.options["verify_writes"] = True
    world.put(a="1")
    made = failing(world, "read", "a")
    result = world.apply()
    assert made[-1].fired
    assert [one.error for one in result.outcomes] == ["verify a: written, but cannot be read back: may not"]
    world.around = None
    assert world.apply().exit_code == 0
    assert world.told() == []
