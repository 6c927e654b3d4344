"""One CSV file of mixed types into a table, beside what each database has for it, and beside pandas."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
import json
import os
from pathlib import Path
import sqlite3
import sys

from tests.benchmarks import peers, servers
from tests.benchmarks.measure import Case, Contender

SIZES = (32,)
"""MiB of CSV; the promises are made for 1024."""

COLUMNS = {
    "id": "BIGINT",
    "name": "TEXT",
    "amount": "NUMERIC(15,2)",
    "qty": "BIGINT",
    "ratio": "DOUBLE PRECISION",
    "flag": "BOOLEAN",
    "day": "DATE",
    "at": "TIMESTAMP",
    "note": "TEXT",
}
DDL = ", ".join(f'"{name}" {kind}' for name, kind in COLUMNS.items())
PANDAS = """
import sys
import pandas, sqlalchemy
engine = sqlalchemy.create_engine(sys.argv[2])
for part in pandas.read_csv(sys.argv[1], chunksize=50_000):
    part.to_sql("data", engine, if_exists="append", index=False)
"""
LEFT_BEHIND = """
SELECT tablename FROM pg_tables WHERE schemaname = 'public'
AND (tablename LIKE 'first%' OR tablename LIKE '\\_reconcile\\_kept%' OR tablename = 'data')
"""
BLOCK_ROWS = 50_000
WORD = "'word' || lpad((hash(i, $seed, {}) % 500)::VARCHAR, 3, '0')"
AT = "TIMESTAMP '2020-01-01' + to_seconds((hash(i, $seed, 4) % 100000000)::BIGINT)"
LINES = f"""
SELECT string_agg(concat_ws(',',
    i, {WORD.format(0)} || ' ' || {WORD.format(1)}, printf('%.2f', (hash(i, $seed, 5) % 1000000)::BIGINT / 100.0),
    CASE WHEN i % 10 = 0 THEN '' ELSE (hash(i, $seed, 6) % 1000)::VARCHAR END,
    (hash(i, $seed, 7) >> 11)::DOUBLE / 9007199254740992, i % 2 = 1, ({AT})::DATE, {AT},
    '"' || {WORD.format(2)} || ', ' || {WORD.format(3)} || '"'
) || chr(10), '' ORDER BY i) FROM range($start, $end) AS numbers(i)
"""


def write_csv(path: Path, mebibytes: int, seed: int) -> int:
    """Writes a table of so many MiB; returns its rows. One cell in ten of `qty` is empty, each `note` has a comma."""
    import duckdb

    rows = 0
    with path.open("w", encoding="utf-8", newline="") as file, duckdb.connect() as database:
        file.write(",".join(COLUMNS) + "\n")
        while file.tell() < mebibytes << 20:
            (text,) = database.execute(LINES, {"seed": seed, "start": rows, "end": rows + BLOCK_ROWS}).fetchone()
            file.write(text)
            rows += BLOCK_ROWS
    return rows


@contextmanager
def stage_sqlite(room: Path, mebibytes: int) -> Iterator[Case]:
    """Into SQLite: `sqlite3 .import` into a table with the same columns is the yardstick."""
    sources = _sources(room)
    rows = max(write_csv(source, mebibytes, seed) for seed, source in enumerate(sources))

    def fresh(_: int) -> None:
        for old in room.glob("peer.db*"):
            old.unlink()
        with sqlite3.connect(room / "peer.db") as database:
            database.execute(f"CREATE TABLE data ({DDL})")
        database.close()

    pandas = [sys.executable, "-c", PANDAS, sources[0], f"sqlite:///{room}/peer.db"]
    load = [servers.tool("sqlite3"), room / "peer.db", f".import --csv --skip 1 {sources[0]} data"]
    yardstick = "`sqlite3 .import`"
    contenders = [
        *_ours(room, lambda name: f"sqlite:///{room}/{name}.db", {}),
        Contender(yardstick, lambda _: load, before=fresh),
        Contender("pandas `to_sql`", lambda _: pandas, before=fresh),
    ]
    yield Case(f"a CSV of {mebibytes:,} MiB into SQLite", rows, contenders, yardstick, unit="row")


@contextmanager
def stage_postgres(room: Path, mebibytes: int) -> Iterator[Case]:
    """Into PostgreSQL: `psql \\copy` into a table with the same columns is the yardstick."""
    from tests.postgres import PASSWORD

    sources = _sources(room)
    rows = max(write_csv(source, mebibytes, seed) for seed, source in enumerate(sources))
    with servers.postgres() as server:

        def bare(_: int) -> None:
            """Nothing lies there of who came before, and nothing of it waits to be written: each has the same disk."""
            with server.connect() as database:
                for (name,) in database.execute(LEFT_BEHIND).fetchall():
                    database.execute(f'DROP TABLE "{name}"')
                database.execute("CHECKPOINT")

        def fresh(number: int) -> None:
            bare(number)
            with server.connect() as database:
                database.execute(f"CREATE TABLE data ({DDL})")

        env = {"PGPASSWORD": PASSWORD}
        load = [servers.tool("psql"), "-q", server.url, "-c", f"\\copy data from '{sources[0]}' csv header"]
        with_driver = server.url.replace("postgresql:", "postgresql+psycopg:")
        pandas = [sys.executable, "-c", PANDAS, sources[0], with_driver]
        yardstick = "`psql \\copy`"
        contenders = [
            *_ours(room, lambda _: server.url, {"password": PASSWORD}, bare),
            Contender(yardstick, lambda _: load, env, before=fresh),
            Contender("pandas `to_sql`", lambda _: pandas, env, before=bare),  # it makes its own
        ]
        yield Case(f"a CSV of {mebibytes:,} MiB into PostgreSQL", rows, contenders, yardstick, unit="row")


def write_spec(folder: Path, url: str, connection: Mapping[str, str]) -> None:
    """A spec with one mapping, of the folder `data` beside it."""
    (folder / "data").mkdir(parents=True, exist_ok=True)
    text = {
        "version": 1,
        "stores": {"base": {"url": url, **connection}},
        "mappings": {"tables": {"source": "./data", "target": "base:"}},
    }
    (folder / "reconcile.yaml").write_text(json.dumps(text, indent=1), encoding="utf-8")


def _sources(room: Path) -> list[Path]:
    return [room / "first.csv", room / "second.csv"]


def _ours(
    room: Path,
    target: Callable[[str], str],
    connection: Mapping[str, str],
    bare: Callable[[int], None] = lambda _: None,
) -> list[Contender]:
    """A first load, whose types are found in the whole file; and another content of the same file, with those types."""

    def spec(folder: Path, name: str, source: Path) -> None:
        write_spec(folder, target(name), connection)
        (folder / "data" / f"{name}.csv").unlink(missing_ok=True)
        os.link(source, folder / "data" / f"{name}.csv")

    def first(number: int) -> None:
        bare(number)
        spec(room / f"first{number}", f"first{number}", _sources(room)[0])

    def again(number: int) -> None:
        if number == 0:
            spec(room / "again", "again", _sources(room)[1])
            peers.run_quietly(peers.reconcile(room / "again", "apply", "--auto-approve"))
        bare(number)
        spec(room / "again", "again", _sources(room)[number % 2])

    return [
        Contender(
            "`reconcile apply`, first load",
            lambda number: peers.reconcile(room / f"first{number}", "apply", "--auto-approve"),
            before=first,
            check=peers.all_done,
        ),
        Contender(
            "`reconcile apply`, types known",
            lambda _: peers.reconcile(room / "again", "apply", "--auto-approve"),
            before=again,
            check=peers.all_done,
        ),
    ]
