"""One CSV file of mixed types into a table, beside what each database has for it, and beside pandas."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
import json
import os
from pathlib import Path
import random
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
BLOCK_ROWS = 10_000


def write_csv(path: Path, mebibytes: int, seed: int) -> int:
    """Writes a table of so many MiB; returns its rows. One cell in ten of `qty` is empty, each `note` has a comma."""
    chance, rows = random.Random(seed), 0
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(",".join(COLUMNS) + "\n")
        while file.tell() < mebibytes << 20:
            file.writelines(_row(row, chance) for row in range(rows, rows + BLOCK_ROWS))
            rows += BLOCK_ROWS
    return rows


def _row(number: int, chance: random.Random) -> str:
    at = datetime(2020, 1, 1, tzinfo=UTC).replace(tzinfo=None) + timedelta(seconds=chance.randrange(10**8))
    qty = chance.randrange(1000) if number % 10 else ""
    words = [f"word{chance.randrange(500):03d}" for _ in range(4)]
    flag = "true" if number & 1 else "false"
    amount, ratio = f"{chance.randrange(10**6) / 100:.2f}", chance.random()
    return f'{number},{words[0]} {words[1]},{amount},{qty},{ratio!r},{flag},{at.date()},{at},"{words[2]}, {words[3]}"\n'


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

        def fresh(_: int) -> None:
            with server.connect() as database:
                database.execute("DROP TABLE IF EXISTS data")
                database.execute(f"CREATE TABLE data ({DDL})")

        env = {"PGPASSWORD": PASSWORD}
        load = [servers.tool("psql"), "-q", server.url, "-c", f"\\copy data from '{sources[0]}' csv header"]
        with_driver = server.url.replace("postgresql:", "postgresql+psycopg:")
        pandas = [sys.executable, "-c", PANDAS, sources[0], with_driver]
        yardstick = "`psql \\copy`"
        contenders = [
            *_ours(room, lambda _: server.url, {"password": PASSWORD}),
            Contender(yardstick, lambda _: load, env, before=fresh),
            Contender("pandas `to_sql`", lambda _: pandas, env, before=fresh),
        ]
        yield Case(f"a CSV of {mebibytes:,} MiB into PostgreSQL", rows, contenders, yardstick, unit="row")


def _sources(room: Path) -> list[Path]:
    return [room / "first.csv", room / "second.csv"]


def _ours(room: Path, target, connection: Mapping[str, str]) -> list[Contender]:
    """A first load, whose types are found in the whole file; and another content of the same file, with those types."""

    def spec(folder: Path, name: str, source: Path) -> None:
        (folder / "data").mkdir(parents=True, exist_ok=True)
        (folder / "data" / f"{name}.csv").unlink(missing_ok=True)
        os.link(source, folder / "data" / f"{name}.csv")
        text = {
            "version": 1,
            "stores": {"base": {"url": target(name), **connection}},
            "mappings": {"tables": {"source": "./data", "target": "base:"}},
        }
        (folder / "reconcile.yaml").write_text(json.dumps(text, indent=1), encoding="utf-8")

    def first(number: int) -> None:
        spec(room / f"first{number}", f"first{number}", _sources(room)[0])

    def again(number: int) -> None:
        if number == 0:
            spec(room / "again", "again", _sources(room)[1])
            peers.run_quietly(peers.reconcile(room / "again", "apply", "--auto-approve"))
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
