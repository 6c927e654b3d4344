"""A mapping that reads its files in another way: tables are made anew for it, and nobody has edited them."""

import pytest

from tests.flow.undo_kit import became, undo, why
from tests.stores.table_kit import database, made, postgres, world_of  # noqa: F401 - fixtures

NUMBERS = "id,v\n1,2\n"


@pytest.fixture
def lite(tmp_path, request):
    with made("sqlite", tmp_path, request) as one:
        yield one


@pytest.fixture
def world(database, tmp_path):  # noqa: F811
    """Two tables of numbers, settled."""
    world = world_of(database, tmp_path)
    world.put(**{"o.csv": NUMBERS, "p.csv": "id,v\n3,4\n"})
    world.settled()
    return world


def rows(database, table):  # noqa: F811
    return database.sql(f'SELECT * FROM "{table}"')


def reads_text(world):
    world.options["table"]["types"] = {"id": "text"}


def test_a_rename_takes_no_rows_that_were_read_in_another_way(database, world):  # noqa: F811
    reads_text(world)
    world.move("p.csv", "q.csv")
    assert world.told() == ["update o", "delete p", "create q"]
    world.settled()
    assert rows(database, "q") == [("3", 4)]
    assert undo(world).exit_code == 0
    assert (rows(database, "o"), rows(database, "p")) == ([(1, 2)], [(3, 4)])


def test_after_a_rollback_the_tables_are_still_to_be_made_anew(database, world):  # noqa: F811
    reads_text(world)
    world.settled()
    assert became(undo(world)) == {"o": "restored", "p": "restored"}
    assert rows(database, "o") == [(1, 2)]
    assert world.told() == world.told(world.plan(checksum=True)) == ["update o", "update p"]
    world.settled()
    assert rows(database, "o") == [("1", 2)]


def test_a_rename_is_undone_though_the_files_are_read_in_another_way_by_now(lite, tmp_path):
    world = world_of(lite, tmp_path)
    world.put(**{"p.csv": NUMBERS})
    world.settled()
    world.move("p.csv", "q.csv")
    world.settled()
    reads_text(world)
    result = undo(world)
    assert (became(result), why(result)) == ({"p": "restored"}, {})
    assert rows(lite, "p") == [(1, 2)]


def test_what_goes_was_edited_by_nobody(lite, tmp_path):
    world = world_of(lite, tmp_path)
    world.put(**{"p.csv": NUMBERS})
    world.settled()
    reads_text(world)
    world.put(**{"p.csv": NUMBERS + "3,4\n"})
    [change] = world.plan().changes()
    assert (change.action, change.reason, change.drift) == ("update", "changed", False)
    world.remove("p.csv")
    assert world.told() == ["delete p"]
    world.settled()


def test_what_was_accepted_is_kept_however_files_are_read(lite, tmp_path):
    world = world_of(lite, tmp_path, drift="keep")
    world.put(**{"p.csv": NUMBERS})
    world.settled()
    lite.sql("UPDATE p SET v = 5")
    world.settled()
    reads_text(world)
    assert world.told() == []
    assert rows(lite, "p") == [(1, 5)]
