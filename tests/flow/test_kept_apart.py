"""Two states that fill one target, or a state that was lost: what one of them kept, the other never writes over."""

import shutil

import pytest

from tests.flow.undo_kit import undo
from tests.flow.world import World


@pytest.fixture
def pair(tmp_path):
    """Two worlds with one target, whose runs have the same numbers."""
    target = str(tmp_path / "out")
    one, other = (World(tmp_path / name, target=target) for name in ("one", "other"))
    for world in (one, other):
        world.put(a="v1")
        world.apply()
    return one, other


def kept(world, root):
    return sorted(path.read_text() for path in root.rglob(".reconcile/undo/**/*") if path.is_file())


@pytest.mark.hazard("T01")
def test_what_another_state_kept_is_not_overwritten(pair, tmp_path):
    one, other = pair
    one.write("a", "edit by hand", tmp_path / "out")
    one.apply()
    other.put(a="v2")
    other.apply()
    assert "edit by hand" in kept(one, tmp_path / "out")


@pytest.mark.hazard("T01")
def test_a_file_is_kept_where_another_state_kept_a_directory(pair, tmp_path):
    one, other = pair
    one.put(d__x="in it")
    one.apply()
    one.put(d__x="newer")
    one.apply()
    one.put(d__x="newest")
    one.apply()
    (tmp_path / "out" / ".reconcile" / "undo" / "2").mkdir(parents=True, exist_ok=True)
    (tmp_path / "out" / ".reconcile" / "undo" / "2" / "a" / "b").mkdir(parents=True)
    other.put(a="v2")
    assert [outcome.outcome for outcome in other.apply().outcomes] == ["done"]
    assert "v1" in kept(other, tmp_path / "out")


def test_a_parked_content_is_not_overwritten(pair, tmp_path):
    _, other = pair
    other.put(b="v2")
    other.apply()
    parked = other.write(".reconcile/park/3/a", "the only copy", tmp_path / "out")
    other.move("a", "between")
    other.move("b", "a")
    other.move("between", "b")
    assert other.apply().exit_code == 0
    assert parked.read_text() == "the only copy"
    assert other.there() == {"a": "v2", "b": "v1"}


@pytest.mark.hazard("O03")
def test_a_rollback_finds_what_was_kept_elsewhere(pair, tmp_path):
    one, other = pair
    one.write("a", "edit by hand", tmp_path / "out")
    one.apply()
    other.put(a="v2")
    other.apply()
    assert undo(other).exit_code == 0
    assert other.there() == {"a": "v1"}
    assert "edit by hand" in kept(one, tmp_path / "out")


@pytest.mark.hazard("O03")
@pytest.mark.hazard("T01")
def test_what_a_lost_state_kept_is_not_brought_back_for_ours(tmp_path):
    world = World(tmp_path / "one", options={"conflict": "source"})
    world.write("u", "the oldest", world.out)
    world.put(u="mine")
    world.apply()
    shutil.rmtree(world.root / "state")
    world.write("u", "a stranger's", world.out)
    world.options["keep"] = "never"
    world.apply()
    assert [outcome.reason for outcome in undo(world).outcomes] == ["cannot"]
    assert world.there() == {"u": "mine"}
