"""`kill -9` at the steps of a run on tables: every table is the old or the new one, and the next run makes it good."""

from pathlib import Path

import pytest

from reconcile.stores.data.engine import BATCH_ROWS
from reconcile.stores.tables.sqlite_bulk import BULK_ROWS, SUFFIX
from tests.crash.table_runs import run
from tests.stores.table_kit import ENGINES, made, postgres, world_of  # noqa: F401 - a fixture

OLD = {"grows.csv": "id,v\n1,a\n", "goes.csv": "id,v\n7,g\n", "old.csv": "id,v\n8,m\n"}
NEW = {"grows.csv": "id,v\n1,a\n2,b\n3,c\n", "new.csv": "id,v\n8,m\n", "comes.csv": "id,v\n9,c\n"}
LARGE = "id,v\n" + "".join(f"{number},some value {number}\n" for number in range(3_000))


def tables(database):
    """Every table that is not ours for our own use, with its rows."""
    with_names = {
        "sqlite": "SELECT name FROM sqlite_master WHERE type = 'table'",
        "duckdb": "SELECT table_name FROM duckdb_tables()",
        "postgresql": "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()",
    }
    names = [name for (name,) in database.sql(with_names[database.engine])]
    return {name: sorted(database.sql(f'SELECT * FROM "{name}"')) for name in names if not name.startswith("_rec")}


def parsed(files):
    rows = {name[:-4]: [line.split(",") for line in text.splitlines()[1:]] for name, text in files.items()}
    return {name: sorted((int(one), two) for one, two in found) for name, found in rows.items()}


def prepared(database, root):
    world = world_of(database, root)
    world.put(**OLD, **{"large.csv": LARGE})
    run(world)
    for name in OLD:
        world.remove(name)
    world.put(**NEW, **{"large.csv": LARGE + "-1,last\n"})
    return world


def check_rows(found):
    """What a reader may see: every table is as it was or as it will be."""
    old, new = parsed(OLD), parsed(NEW)
    for name, rows in found.items():
        if name == "large":
            assert len(rows) in (3_000, 3_001)
        else:
            assert rows in (old.get(name), new.get(name)), (name, rows)
    assert "old" in found or "new" in found, "what is renamed is lost"


def check(database, world):
    """And what the next run makes of it."""
    check_rows(tables(database))
    for store in database.stores:
        store.close()
    assert run(world) != []
    found, new = tables(database), parsed(NEW)
    assert len(found.pop("large")) == 3_001
    assert found == new
    assert list(world.plan().changes()) == []
    with world.house(write=False) as house:
        target = house.mappings[0].target
        assert list(target.leftovers()) == []
        assert target.stat("large") is not None


def deaths(engine, root, request, chosen):
    """Dies at each of the chosen moments, then at the next of them in the recovery; `chosen` picks from all there are.

    Tells how often.
    """
    died = 0
    with made(engine, root / "count", request) as database:
        moments = run(prepared(database, root / "count"))
    assert {"table.create before", "table.fill after", "table.commit before", "table.commit after"} <= set(moments)
    for number, (first, *then) in enumerate(chosen(len(moments))):
        with made(engine, root / str(number), request) as database:
            world = prepared(database, root / str(number))
            assert run(world, first) == [], "it did not die"
            died += 1 + sum(run(world, at) == [] for at in then)
            check(database, world)
    return died


@pytest.mark.hazard("Q08")
@pytest.mark.hazard("Q10")
@pytest.mark.parametrize("engine", ENGINES)
def test_a_run_dies_in_the_database(engine, tmp_path, request):
    one = ENGINES.index(engine)
    deaths(engine, tmp_path, request, lambda count: [(one + 2,), (count // 2 + one,)])


@pytest.mark.hazard("Q08")
def test_a_run_dies_while_many_rows_go_into_sqlite(tmp_path, request):
    """Each run is the recovery from the one before. Whether the private file is left is told with each moment."""
    deaths_and_left = {
        ("table.bulk before",): True,
        ("table.bulk after",): True,
        ("table.fill after",): False,
        ("table.fill after", "table.commit before"): False,
        ("table.fill after", "table.commit after"): False,
    }
    with made("sqlite", tmp_path, request) as database:
        world = world_of(database, tmp_path)
        world.put(**{"many.csv": "id,v\n1,old\n"})
        world.settled()
        world.put(**{"many.csv": "id,v\n" + "1,new\n" * BULK_ROWS})
        for at, left in deaths_and_left.items():
            assert tables(database) == {"many": [(1, "old")]}
            assert run(world, at) == [], f"it did not die at {at}"
            assert Path(f"{tmp_path}/tables.sqlite{SUFFIX}").exists() is left, at
        assert "table.bulk before" not in run(world), "it had happened, and was done again"
        assert tables(database) == {"many": [(1, "new")] * BULK_ROWS}
        world.settled()
        assert not Path(f"{tmp_path}/tables.sqlite{SUFFIX}").exists()
        assert database.sql("PRAGMA integrity_check") == [("ok",)]


@pytest.mark.hazard("Q08")
def test_a_run_dies_between_the_parts_of_a_large_table(tmp_path, request):
    """While one private file is taken over and the next is written, and when that is complete, too."""
    new = [(number, "new") for number in range(3 * BATCH_ROWS)]
    with made("sqlite", tmp_path, request) as database:
        world = world_of(database, tmp_path)
        world.put(**{"many.csv": "id,v\n1,old\n"})
        world.settled()
        world.put(**{"many.csv": "id,v\n" + "".join(f"{number},{text}\n" for number, text in new)})
        for last in ("before", "after"):
            at = ("table.bulk after", f"table.bulk {last}")
            assert run(world, at, part_bytes=1) == [], f"it did not die at {at}"
            assert tables(database) == {"many": [(1, "old")]}
            assert Path(f"{tmp_path}/tables.sqlite{SUFFIX}").exists()
        assert run(world, part_bytes=1).count("table.bulk after") == 3
        assert tables(database) == {"many": new}
        world.settled()
        assert not Path(f"{tmp_path}/tables.sqlite{SUFFIX}").exists()


@pytest.mark.hazard("Q08")
@pytest.mark.parametrize(
    ("at", "there"),
    [
        (("table.create after", "table.create after"), False),
        (("table.fill after", "table.fill after"), False),
        (("table.fill after", "table.commit before"), False),
        (("table.fill after", "table.commit after"), True),
    ],
)
def test_a_run_dies_while_many_tables_are_made_together(at, there, tmp_path, request):
    """All of them are there or none; those that are there are not made again."""
    files = {f"t{number}.csv": f"id,v\n{number},a\n" for number in range(5)}
    with made("sqlite", tmp_path, request) as database:
        world = world_of(database, tmp_path)
        world.put(**files)
        assert run(world, at) == [], "it did not die"
        assert tables(database) == (parsed(files) if there else {})
        assert ("table.create before" in run(world)) is not there
        assert tables(database) == parsed(files)
        world.settled()


@pytest.mark.campaign
@pytest.mark.parametrize("engine", ENGINES)
def test_a_run_dies_at_every_moment_in_the_database(engine, tmp_path, request):
    deaths(engine, tmp_path, request, lambda count: [(at,) for at in range(count)])
