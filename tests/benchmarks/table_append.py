"""A CSV that grew by 1 %, beside the load of all of it and the mere digest of its bytes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
import shutil

from tests.benchmarks import peers, servers, table_load
from tests.benchmarks.measure import Case, Contender

SIZES = (128,)
PART = 100
"""One row comes for so many."""


@contextmanager
def stage_sqlite(room: Path, mebibytes: int) -> Iterator[Case]:
    """In SQLite."""
    with _stage(room, mebibytes, lambda name: f"sqlite:///{room}/{name}.db", {}) as contenders:
        yield _case(contenders, mebibytes, "SQLite")


@contextmanager
def stage_postgres(room: Path, mebibytes: int) -> Iterator[Case]:
    """In PostgreSQL."""
    from tests.postgres import PASSWORD

    with (
        servers.postgres() as server,
        _stage(room, mebibytes, lambda _: server.url, {"password": PASSWORD}) as contenders,
    ):
        yield _case(contenders, mebibytes, "PostgreSQL")


def _case(contenders: list[Contender], mebibytes: int, where: str) -> Case:
    title = f"a CSV of {mebibytes:,} MiB in {where} gets 1 % more"
    return Case(title, 1, contenders, contenders[0].name, unit="load")


@contextmanager
def _stage(room: Path, mebibytes: int, target, connection: Mapping[str, str]) -> Iterator[list[Contender]]:
    source, tail = room / "source.csv", room / "tail.csv"
    rows = table_load.write_csv(source, mebibytes, seed=1)
    with source.open("rb") as lines, tail.open("wb") as part:
        next(lines)
        part.writelines(next(lines) for _ in range(rows // PART))

    def grown(folder: Path) -> None:
        with tail.open("rb") as part, (folder / "data" / f"{folder.name}.csv").open("ab") as file:
            shutil.copyfileobj(part, file)

    def staged(name: str) -> Path:
        folder = room / name
        if not folder.exists():
            table_load.write_spec(folder, target(name), connection)
            shutil.copyfile(source, folder / "data" / f"{name}.csv")
            peers.run_quietly(peers.reconcile(folder, "apply", "--auto-approve"))
        return folder

    def whole(number: int) -> None:
        folder = staged("whole")
        table_load.write_csv(folder / "data" / "whole.csv", mebibytes, seed=2 + number)

    yield [
        Contender(
            "`reconcile apply`, another content",
            lambda _: peers.reconcile(room / "whole", "apply", "--auto-approve"),
            before=whole,
            check=peers.all_done,
        ),
        Contender(
            "`reconcile apply`, 1 % appended",
            lambda _: peers.reconcile(room / "appended", "apply", "--auto-approve"),
            before=lambda _: grown(staged("appended")),
            check=peers.all_done,
        ),
        Contender("`sha256sum`", lambda _: [servers.tool("sha256sum"), source]),
    ]
