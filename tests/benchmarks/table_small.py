"""Many small CSV files into tables of SQLite: what counts is how many tables a second are made."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
import random
import sys

from tests.benchmarks import peers, servers, table_load
from tests.benchmarks.measure import Case, Contender

SIZES = (2_000,)
ROWS = 20
PANDAS = """
import pathlib, sys
import pandas, sqlalchemy
engine = sqlalchemy.create_engine(sys.argv[2])
for path in pathlib.Path(sys.argv[1]).iterdir():
    pandas.read_csv(path).to_sql(path.stem, engine, index=False)
"""


@contextmanager
def stage(room: Path, count: int) -> Iterator[Case]:
    """`count` files of 20 rows; one `sqlite3` that imports them all, into columns of text, is the yardstick."""
    (room / "data").mkdir()
    names = [f"table{number:05d}" for number in range(count)]
    chance = random.Random(1)
    for name in names:
        (room / "data" / f"{name}.csv").write_text(_csv(chance), encoding="utf-8")
    imports = "".join(f".import --csv {room}/data/{name}.csv {name}\n" for name in names)
    (room / "imports").write_text(imports, encoding="utf-8")

    def folder(number: int) -> Path:
        return room / f"ours{number}"

    def ours(number: int) -> None:
        table_load.write_spec(folder(number), "sqlite:///ours.db", {})
        (folder(number) / "data").rmdir()
        (folder(number) / "data").symlink_to(room / "data")

    def fresh(_: int) -> None:
        (room / "peer.db").unlink(missing_ok=True)

    pandas = [sys.executable, "-c", PANDAS, room / "data", f"sqlite:///{room}/peer.db"]
    script = [servers.tool("sqlite3"), room / "peer.db", f".read {room}/imports"]
    yardstick = "one `sqlite3` with `.import` for each"
    contenders = [
        Contender(
            "`reconcile apply`",
            lambda number: peers.reconcile(folder(number), "apply", "--auto-approve"),
            before=ours,
            check=peers.all_done,
        ),
        Contender(yardstick, lambda _: script, before=fresh),
        Contender("pandas `to_sql`", lambda _: pandas, before=fresh),
    ]
    yield Case(f"{count:,} CSV files of {ROWS} rows into SQLite", count, contenders, yardstick, unit="table")


def _csv(chance: random.Random) -> str:
    rows = "".join(
        f"{row},word{chance.randrange(500):03d},{chance.random()!r},{chance.randrange(10**6) / 100:.2f},"
        f"2024-01-{1 + row:02d}\n"
        for row in range(ROWS)
    )
    return f"id,name,ratio,amount,day\n{rows}"
