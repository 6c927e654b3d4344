"""Two mappings that fill tables of one database, in one plan."""

import pytest

from reconcile.core.errors import PlanError
from tests.flow.test_collecting import gc, told, why
from tests.stores.table_kit import database, made, postgres, world_of  # noqa: F401 - fixtures


@pytest.fixture
def pair(database, tmp_path):  # noqa: F811
    """A world with a second mapping of files in `other`."""
    world = world_of(database, tmp_path)
    table = {"table": world.options["table"]} if world.options["table"] else {}
    world.more = {"others": {"source": str(tmp_path / "other"), "target": world.target, **table}}
    world.put(**{"a.csv": "id\n1\n", "b.csv": "id\n2\n"})
    world.write("z.csv", "id\n9\n", tmp_path / "other")
    world.settled()
    return world


def test_a_file_that_goes_to_the_other_mapping_keeps_its_table(database, pair):  # noqa: F811
    (pair.src / "a.csv").rename(pair.root / "other" / "a.csv")
    (pair.root / "other" / "z.csv").rename(pair.src / "z.csv")
    changes = {(change.mapping, change.key): change.reason for change in pair.plan().changes()}
    assert changes == {
        ("tables", "a"): "handed-over",
        ("others", "a"): "equal",
        ("others", "z"): "handed-over",
        ("tables", "z"): "equal",
    }
    pair.settled()
    assert database.sql("SELECT id FROM a") == [(1,)]
    assert database.sql("SELECT id FROM z") == [(9,)]
    (pair.root / "other" / "a.csv").unlink()
    pair.settled()
    with pair.house(write=False) as house:
        assert [entry.key for entry in house.mappings[0].target.list()] == ["b", "z"]


def test_another_file_of_the_same_name_is_no_reason_to_keep_a_table(database, pair):  # noqa: F811
    pair.remove("b.csv")
    pair.write("b.csv", "id\n2\n3\n", pair.root / "other")
    plan = pair.plan()
    assert pair.told(plan) == ["delete b"]
    assert [conflict.key for conflict in plan.conflicts] == ["b"]
    assert pair.apply().exit_code == 3
    pair.settled()
    assert sorted(database.sql("SELECT id FROM b")) == [(2,), (3,)]


def test_both_mappings_write_in_one_run(database, pair):  # noqa: F811
    pair.remove("b.csv")
    pair.put(**{"a.csv": "id\n5\n"})
    pair.write("z.csv", "id\n6\n", pair.root / "other")
    pair.settled()
    assert (database.sql("SELECT id FROM a"), database.sql("SELECT id FROM z")) == ([(5,)], [(6,)])


@pytest.mark.parametrize("engine", ["sqlite", "duckdb"])
def test_one_file_by_two_paths_is_one_database(tmp_path, request, engine):
    (tmp_path / "link").symlink_to(tmp_path, target_is_directory=True)
    with made(engine, tmp_path, request) as database:  # noqa: F811
        world = world_of(database, tmp_path)
        target = world.target.replace(str(tmp_path), f"/{tmp_path}/link//.")
        world.more = {"others": {"source": str(tmp_path / "other"), "target": target}}
        world.put(**{"a.csv": "id\n1\n"})
        world.write("A.csv", "id\n2\n", tmp_path / "other")
        with pytest.raises(PlanError, match=r"which is that of a\.csv of `tables`"):
            world.plan()
        (tmp_path / "other" / "A.csv").rename(tmp_path / "other" / "b.csv")
        world.settled()
        world.target, world.more = target, {}
        assert world.told() == []


def test_what_both_kept_in_one_database_is_told_once_for_each(pair):
    pair.options["keep"] = pair.more["others"]["keep"] = "always"
    pair.put(**{"a.csv": "id\n3\n"})
    pair.write("z.csv", "id\n8\n", pair.root / "other")
    pair.settled()
    young = gc(pair, 1)
    assert (told(young), [(key[:2], tally.count) for key, tally in young.left.items()]) == (
        {},
        [(("tables", "kept"), 1), (("others", "kept"), 1)],
    )
    old = gc(pair)
    assert (told(old), why(old)) == ({"kept": 2}, {})
