"""What the plan of a table tells of its rows and columns, and that what it tells leads on."""

import pytest

from reconcile.core.errors import PlanError
from tests.stores.table_kit import database, made, postgres, world_of  # noqa: F401 - fixtures


@pytest.fixture
def lite(tmp_path, request):
    with made("sqlite", tmp_path, request) as one:
        yield one


def counted(world):
    """Rows added, changed (-1: nobody can tell), removed of the one table of the plan."""
    (change,) = world.plan().changes()
    return change.inside.added, change.inside.changed, change.inside.removed


@pytest.mark.parametrize("key", [(), ("id",)])
def test_a_file_that_lost_a_column_leaves_it_empty(database, tmp_path, key):  # noqa: F811
    world = world_of(database, tmp_path, table={"on_schema_change": "evolve", "key": list(key)})
    world.put(**{"t.csv": "id,n,c\n1,a,x\n2,b,\n"})
    world.settled()
    world.put(**{"t.csv": "n,id\na,1\nb,2\nq,4\n"})
    assert counted(world) == ((1, 1, 0) if key else (2, -1, 1)), "of the first row `c` goes, the second stays as it is"
    world.settled()
    found = database.sql('SELECT "id", "n", "c" FROM "t" ORDER BY "id"')
    assert found == [(1, "a", None), (2, "b", None), (4, "q", None)]


def test_a_key_that_names_several_rows_counts_nothing(lite, tmp_path):
    world = world_of(lite, tmp_path, table={"key": ["id"]})
    world.put(**{"t.csv": "id,n\n1,5\n1,6\n"})
    world.settled()
    world.put(**{"t.csv": "id,n\n1,5\n1,6\n1,7\n"})
    assert counted(world) == (1, -1, 0)


@pytest.mark.parametrize("mended", [True, False])
def test_rejects_whose_table_somebody_dropped_are_in_nobodys_way(database, tmp_path, mended):  # noqa: F811
    world = world_of(database, tmp_path, table={"on_bad_rows": "quarantine"})
    bad = "a,b\n1,2\n3,4,5\n"
    world.put(**{"t.csv": bad})
    world.settled()
    database.sql('DROP TABLE "t"')
    if mended:
        world.put(**{"t.csv": "a,b\n1,2\n"})
        world.settled()
        world.put(**{"t.csv": bad + "6,7\n"})
    world.settled()
    assert len(database.sql('SELECT * FROM "t__rejected"')) == 1
    assert len(database.sql('SELECT * FROM "t"')) == (2 if mended else 1)


def test_what_a_table_keeps_is_said_once(lite, tmp_path):
    world = world_of(lite, tmp_path)
    world.put(**{"t.csv": "a,b\n1,2\n"})
    world.settled()
    world.put(**{"t.csv": "a,b\n1,2\n3,4,5\n"})
    told = [problem.reason for problem in world.plan().mappings[0].problems]
    assert [one.count("The table keeps its 1 row.") for one in told] == [1]


def test_two_files_of_one_table_are_told_apart_by_its_name(lite, tmp_path):
    world = world_of(lite, tmp_path)
    world.put(**{"t.csv": "a\n1\n", "sub/t.csv": "a\n1\n"})
    with pytest.raises(PlanError, match="would both become t") as refused:
        world.plan()
    assert refused.value.hint == 'give table.name what tells them apart: "{dirs}{stem}"'
    world.remove("sub/t.csv")
    world.put(**{"t.tsv": "a\n1\n"})
    with pytest.raises(PlanError, match="would both become t") as refused:
        world.plan()
    assert refused.value.hint == 'give table.name what tells them apart: "{stem}_{suffix}"'
