"""Stories of data files kept as tables, through the real flow, on each database."""

import pytest

from reconcile.core.errors import PlanError, RefusedError
from reconcile.core.inside import ColumnChange
from reconcile.flow.looking import why
from reconcile.flow.wire import Reach
from tests.stores.table_kit import database, made, postgres, world_of  # noqa: F401 - fixtures

PEOPLE = "id,name,zip\n1,ann,007\n2,bob,12\n"


@pytest.fixture
def lite(tmp_path, request):
    with made("sqlite", tmp_path, request) as one:
        yield one


def rows(database, table):  # noqa: F811
    return sorted(database.sql(f'SELECT * FROM "{table}"'))


def test_a_directory_is_a_set_of_tables(database, tmp_path):  # noqa: F811
    world = world_of(database, tmp_path, table={"name": "{dirs}{stem}"})
    world.put(**{"people.csv": PEOPLE, "sub/orders.tsv": "id\tsum\n1\t2.5\n", "notes.txt": "no table"})
    plan = world.plan()
    assert world.told(plan) == ["create people", "create sub__orders"]
    people = next(plan.changes()).inside
    assert [column.name for column in people.columns] == ["id", "name", "zip"]
    assert people.rows_now == 2
    world.settled()
    assert rows(database, "people") == [(1, "ann", "007"), (2, "bob", "12")]
    world.put(**{"people.csv": PEOPLE + "3,cy,1\n"})
    world.move("sub/orders.tsv", "sub/sales.tsv")
    assert world.told() == ["update people", "move sub__sales<sub__orders"]
    world.settled()
    assert rows(database, "people") == [(1, "ann", "007"), (2, "bob", "12"), (3, "cy", "1")]
    assert rows(database, "sub__sales") == [(1, 2.5)]
    world.remove("people.csv")
    assert world.told() == ["delete people"]
    world.settled()
    with world.house(write=False) as house:
        assert [entry.key for entry in house.mappings[0].target.list()] == ["sub__sales"]


def test_a_second_plan_reads_no_file(lite, tmp_path, monkeypatch):
    world = world_of(lite, tmp_path)
    world.put(**{"people.csv": PEOPLE})
    world.settled()
    from reconcile.stores.tables import loading as table_loading

    monkeypatch.setattr(table_loading, "read_data", None)
    assert world.told() == []


def test_a_table_that_is_called_like_rejects_is_not_dropped_with_another(database, tmp_path):  # noqa: F811
    world = world_of(database, tmp_path, keep="never")
    world.put(**{"orders.csv": PEOPLE})
    world.write("orders__rejected.csv", "a\n1\n")
    world.settled()
    world.remove("orders.csv")
    world.settled()
    assert rows(database, "orders__rejected") == [(1,)]


def test_a_column_that_gets_wider_is_loaded(database, tmp_path):  # noqa: F811
    world = world_of(database, tmp_path)
    world.put(**{"o.csv": "a,b\n1,2\n"})
    world.settled()
    world.put(**{"o.csv": "a,b\n1,2\n1.5,3\n"})
    [change] = world.plan().changes()
    assert [column.name for column in change.inside.columns] == ["a"]
    world.settled()
    assert rows(database, "o") == [(1, 2), (1.5, 3)]
    world.put(**{"o.csv": "a,b\n1,2\n007,3\n"})
    world.settled()
    assert rows(database, "o") == [("007", 3), ("1", 2)]


@pytest.mark.parametrize("name", ["orders.csv", "Orders.csv"])
def test_two_mappings_with_one_table_are_a_plan_error(lite, tmp_path, name):
    other = tmp_path / "other"
    world = world_of(lite, tmp_path)
    world.more = {"others": {"source": str(other), "target": world.target}}
    world.put(**{"orders.csv": PEOPLE, "own.csv": PEOPLE})
    world.write(name, PEOPLE, other)
    world.write("mine.csv", PEOPLE, other)
    with pytest.raises(PlanError, match=f"{name} .* orders.csv of `tables`") as caught:
        world.apply()
    assert caught.value.path == "others"
    assert caught.value.exit_code == 1
    assert lite.sql("SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name LIKE 'o%'") == [(0,)]
    (other / name).unlink()
    world.settled()
    world.write(name, PEOPLE, other)
    with pytest.raises(PlanError, match=f"{name} .* orders.csv of `tables`"):
        world.plan(reach=Reach(mappings=("others",)))
    world.remove("orders.csv")
    (other / name).unlink()
    world.settled()
    world.write(name, PEOPLE, other)
    world.settled()


def test_two_mappings_fill_two_schemas(tmp_path, request):
    other = tmp_path / "other"
    with made("postgresql", tmp_path, request) as database:  # noqa: F811
        world = world_of(database, tmp_path)
        world.more = {"others": {"source": str(other), "target": "pg", "table": {"schema": "public"}}}
        world.put(**{"people.csv": PEOPLE})
        world.write("People.csv", PEOPLE, other)
        world.write("people.csv", PEOPLE, other)
        assert world.told() == ["create people", "create People", "create people"]


def test_a_date_is_read_as_the_spec_declares_it(lite, tmp_path):
    types = {"d": "date(%d/%m/%Y)", "at": "timestamp(%d.%m.%Y %H:%M)", "price": "decimal(10, 2)"}
    world = world_of(lite, tmp_path, table={"types": types})
    world.put(**{"a.csv": "d,at,price\n31/12/2024,01.02.2024 10:30,5\n"})
    world.settled()
    assert lite.sql("SELECT d, at, price FROM a") == [("2024-12-31", "2024-02-01 10:30:00", 5)]


def test_a_column_without_a_value_gets_its_type_from_the_first(lite, tmp_path):
    world = world_of(lite, tmp_path)
    world.put(**{"t.csv": "a,b\n1,\n2,\n"})
    world.settled()
    world.put(**{"t.csv": "a,b\n1,\n2,\n3,7\n"})
    world.settled()
    assert lite.sql("SELECT a, b, typeof(b) FROM t WHERE b IS NOT NULL") == [(3, 7, "integer")]


@pytest.mark.hazard("Q16")
def test_an_edit_by_hand_is_drift_and_comes_back_by_rollback(lite, tmp_path):
    world = world_of(lite, tmp_path)
    world.put(**{"people.csv": PEOPLE})
    world.settled()
    lite.sql("UPDATE people SET name = 'by hand' WHERE id = 1")
    [change] = world.plan().changes()
    assert (change.action, change.drift, change.inside.rows_was) == ("update", True, 2)
    world.options["drift"] = "fail"
    assert world.plan().exit_code() == 3
    world.options["drift"] = "restore"
    world.settled()
    assert rows(lite, "people") == [(1, "ann", "007"), (2, "bob", "12")]
    from tests.flow.undo_kit import undo

    assert undo(world).exit_code == 0
    assert rows(lite, "people") == [(1, "by hand", "007"), (2, "bob", "12")]


def test_both_sides_changed_is_a_conflict(lite, tmp_path):
    world = world_of(lite, tmp_path)
    world.put(**{"people.csv": PEOPLE})
    world.settled()
    lite.sql("INSERT INTO people VALUES (9, 'eve', '0')")
    world.put(**{"people.csv": "id,name,zip\n1,ann,007\n"})
    plan = world.plan()
    assert plan.exit_code() == 3
    assert [conflict.key for conflict in plan.conflicts] == ["people"]
    assert world.apply().exit_code == 3
    assert len(rows(lite, "people")) == 3


def test_a_strangers_table_is_never_taken(database, tmp_path):  # noqa: F811
    world = world_of(database, tmp_path)
    world.put(**{"people.csv": PEOPLE, "other.csv": "a\n1\n"})
    database.sql("CREATE TABLE people (mine INTEGER)")
    database.sql("INSERT INTO people VALUES (42)")
    plan = world.plan()
    assert [conflict.key for conflict in plan.conflicts] == ["people"]
    assert world.apply().exit_code == 3
    assert rows(database, "people") == [(42,)]
    assert rows(database, "other") == [(1,)]


def test_a_lost_state_adopts_what_the_ledger_knows(lite, tmp_path):
    world = world_of(lite, tmp_path)
    world.put(**{"people.csv": PEOPLE, "other.csv": "a\n1\n"})
    world.settled()
    world.state = str(tmp_path / "another" / "state.db")
    assert world.told() == ["adopt other", "adopt people"]
    world.settled()


def test_what_is_read_in_another_way_is_made_anew(lite, tmp_path):
    world = world_of(lite, tmp_path)
    world.put(**{"people.csv": PEOPLE})
    world.settled()
    world.options["table"]["types"] = {"id": "text"}
    [change] = world.plan().changes()
    assert (change.action, change.reason, change.drift) == ("update", "remade", False)
    assert [column.name for column in change.inside.columns] == ["id"]
    world.settled()
    assert rows(lite, "people")[0][0] == "1"


def test_columns_that_change_are_told(lite, tmp_path):
    world = world_of(lite, tmp_path, table={"key": ["id"]})
    world.put(**{"people.csv": PEOPLE})
    world.settled()
    world.put(**{"people.csv": "id,zip,email\n1,7,a@x\n"})
    [change] = world.plan().changes()
    assert change.inside.columns == (
        ColumnChange("zip", "TEXT", "BIGINT"),
        ColumnChange("email", "", "TEXT"),
        ColumnChange("name", "TEXT", ""),
    )
    world.put(**{"people.csv": "id,name,zip\n1,anna,007\n3,cy,1\n"})
    [change] = world.plan().changes()
    inside = change.inside
    assert (inside.rows_was, inside.rows_now, inside.added, inside.changed, inside.removed) == (2, 2, 1, 1, 1)


@pytest.mark.hazard("Q03")
def test_columns_change_only_as_the_spec_lets_them(database, tmp_path):  # noqa: F811
    world = world_of(database, tmp_path, table={"on_schema_change": "fail"})
    world.put(**{"people.csv": PEOPLE})
    world.settled()
    world.put(**{"people.csv": "zip,id\nx,1.5\n"})
    plan = world.plan()
    assert plan.exit_code() == 7
    assert "its columns would change" in plan.problems[0][1].reason
    assert world.apply().exit_code == 7
    assert rows(database, "people") == [(1, "ann", "007"), (2, "bob", "12")]
    world.options["table"]["on_schema_change"] = "evolve"
    world.settled()
    assert rows(database, "people") == [(1.5, None, "x")]
    world.options["table"]["on_schema_change"] = "replace"
    world.put(**{"people.csv": "zip,id\ny,2\n"})
    world.settled()
    assert rows(database, "people") == [("y", 2)]


def test_two_files_of_one_table_are_a_plan_error(lite, tmp_path):
    world = world_of(lite, tmp_path)
    world.put(**{"a/x.csv": "a\n1\n", "b/x.csv": "a\n2\n"})
    with pytest.raises(PlanError, match=r"a/x\.csv and b/x\.csv would both become x"):
        world.plan()
    world.remove("b/x.csv")
    world.put(**{"X.csv": "a\n1\n"})
    with pytest.raises(PlanError, match="takes these names for the same"):
        world.plan()


@pytest.mark.hazard("Q05")
@pytest.mark.parametrize("name", ["n" * 64, "_reconcile_x"])
def test_a_name_that_no_table_can_have_is_told_by_the_plan(database, tmp_path, name):  # noqa: F811
    world = world_of(database, tmp_path)
    world.put(**{f"{name}.csv": "a\n1\n", "fine.csv": "a\n1\n"})
    plan = world.plan()
    if len(name) < 64 or database.engine == "postgresql":
        assert [problem.key for _, problem in plan.problems] == [name]
    assert world.told(plan)[0] == "create fine"


@pytest.mark.hazard("Q01")
def test_a_bad_row_keeps_the_table(lite, tmp_path):
    world = world_of(lite, tmp_path, table={"types": {"id": "integer"}})
    world.put(**{"people.csv": PEOPLE, "other.csv": "a\n1\n"})
    world.settled()
    world.put(**{"people.csv": PEOPLE + "x,cy,1\n", "other.csv": "a\n2\n"})
    plan = world.plan()
    [(_, problem)] = plan.problems
    assert "people.csv:4:1" in problem.reason
    assert "The table keeps its 2 rows." in problem.reason
    assert world.apply().exit_code == 7
    assert len(rows(lite, "people")) == 2
    assert rows(lite, "other") == [(2,)]


@pytest.mark.hazard("Q01")
def test_bad_rows_are_put_aside_and_counted(database, tmp_path):  # noqa: F811
    world = world_of(database, tmp_path, table={"types": {"id": "integer"}, "on_bad_rows": "quarantine"})
    world.put(**{"people.csv": PEOPLE + "x,cy,1\n"})
    [change] = world.plan().changes()
    assert change.inside.rejected == 1
    world.settled()
    assert len(rows(database, "people")) == 2
    [(line, column, reason, raw)] = database.sql('SELECT * FROM "people__rejected"')
    assert (line, column, raw) == (4, "id", "x,cy,1")
    assert reason
    world.put(**{"people.csv": PEOPLE + "x,cy,1\ny,di,1\n"})
    world.settled()
    assert len(database.sql('SELECT * FROM "people__rejected"')) == 2
    world.put(**{"people.csv": PEOPLE})
    world.settled()
    world.remove("people.csv")
    world.settled()
    with world.house(write=False) as house:
        assert list(house.mappings[0].target.list()) == []


@pytest.mark.hazard("Q01")
def test_rows_that_are_put_aside_take_nobodys_name(database, tmp_path):  # noqa: F811
    world = world_of(database, tmp_path, table={"types": {"id": "integer"}, "on_bad_rows": "quarantine"})
    database.sql("CREATE TABLE people__rejected (mine INTEGER)")
    world.put(**{"people.csv": PEOPLE + "x,cy,1\n"})
    [(_, problem)] = world.plan().problems
    assert problem.reason == "rows are to be put aside, and `people__rejected` is not a table of such rows"
    world.put(**{"people.csv": PEOPLE})
    world.settled()
    database.sql("DROP TABLE people__rejected")
    world.put(**{"people.csv": PEOPLE + "x,cy,1\n"})
    world.settled()
    world.write("people__rejected.csv", "a\n1\n")
    [(_, problem)] = world.plan().problems
    assert problem.reason == "the rows that were put aside of `people` have this name"
    world.remove("people__rejected.csv")
    database.sql("DROP TABLE people__rejected")
    database.sql("CREATE TABLE people__rejected (mine INTEGER)")
    world.put(**{"people.csv": PEOPLE})
    assert world.apply().exit_code == 7
    world.remove("people.csv")
    assert world.apply().exit_code == 7
    assert database.sql("SELECT * FROM people__rejected") == []
    database.sql("DROP TABLE people__rejected")
    world.settled()


def test_a_database_that_was_deleted_is_built_anew(lite, tmp_path):
    world = world_of(lite, tmp_path)
    world.put(**{"people.csv": PEOPLE})
    world.settled()
    for path in tmp_path.glob("tables.sqlite*"):
        path.unlink()
    plan = world.plan()
    assert world.told(plan) == ["create people"]
    assert plan.exit_code() == 0
    world.settled()
    assert len(rows(lite, "people")) == 2


def test_a_deleted_table_comes_back_by_rollback_and_goes_by_gc(database, tmp_path):  # noqa: F811
    from reconcile.flow.clock import RealClock
    from reconcile.flow.collecting import collect
    from tests.flow.undo_kit import undo

    world = world_of(database, tmp_path)
    world.put(**{"people.csv": PEOPLE, "other.csv": "a\n1\n"})
    world.settled()
    world.remove("people.csv")
    world.put(**{"other.csv": "a\n2\n"})
    world.settled()
    assert undo(world).exit_code == 0
    assert len(rows(database, "people")) == 2
    assert rows(database, "other") == [(1,)]
    with world.house(write=True) as house:
        told = collect(house, RealClock(), older_than_s=-60, lock_timeout_s=0)
        assert told.problems == []
        assert [entry.key for entry in house.mappings[0].target.list(".reconcile")] == []
        assert sorted(entry.key for entry in house.mappings[0].target.list()) == ["other", "people"]


def test_a_column_without_a_type_goes_as_any_other(lite, tmp_path):
    world = world_of(lite, tmp_path)
    world.put(**{"people.csv": PEOPLE})
    world.settled()
    lite.sql("ALTER TABLE people ADD COLUMN z")
    [change] = world.plan().changes()
    assert list(change.inside.columns) == [ColumnChange("z", was="without a type")]


def test_a_sqlite_file_is_not_taken_for_one_of_duckdb(lite, tmp_path):
    lite.sql("CREATE TABLE mine (a INTEGER)")
    world = world_of(lite, tmp_path)
    world.target = world.target.replace("sqlite:", "duckdb:")
    world.put(**{"people.csv": PEOPLE})
    with pytest.raises(RefusedError, match="is a SQLite file") as caught:
        world.plan()
    assert caught.value.hint == f"write sqlite:///{tmp_path}/tables.sqlite"


@pytest.mark.parametrize("asked", ["bad", "bad.csv", "people", "people.csv"])
def test_why_knows_a_table_by_its_name_and_by_its_file(lite, tmp_path, asked):
    world = world_of(lite, tmp_path)
    world.put(**{"people.csv": PEOPLE, "bad.csv": "a\n1,2\n"})
    world.apply()
    with world.house(write=False) as house:
        [told] = why(house, asked, world.events.append)
    assert told.key == asked.removesuffix(".csv")
    assert told.source.key == f"{told.key}.csv"
    assert (told.record is not None, bool(told.problems)) == ((True, False) if told.key == "people" else (False, True))
    assert told.notes == []
