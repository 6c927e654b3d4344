"""What each store claims, as a table: a claim taken back by mistake would only make cases of the contract skip."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
import inspect
from typing import Any

import msgspec
import pytest

from reconcile import abilities
from reconcile.core.traits import Traits
from reconcile.ports import Store
from reconcile.stores.memory import MemoryStore
from reconcile.stores.objects.store import ObjectStore
from tests.fakes.databricks import Emulator
from tests.fakes.s3 import FakeS3
from tests.stores.databricks_kit import ALL, opened
from tests.stores.table_kit import ENGINES, made, postgres  # noqa: F401 - a fixture
from tests.stores.test_contract import local_store

ABILITIES = [one for _, one in inspect.getmembers(abilities, inspect.isclass) if one.__module__ == abilities.__name__]
TABLES: dict[str, Any] = {
    "write": "match",
    "delete": "match",
    "copy": "match",
    "move": "match",
    "move_atomic": True,
    "returns_version": True,
    "proves": True,
    "keeps": "link",
    "rows": True,
    "abilities": "Making Marked Rejecting Tabular Tidy WritesMany",
}
DATABRICKS: dict[str, Any] = {"tree": True, "waits": True, "write": "create", "max_name_bytes": 255}
CLAIMS: dict[str, dict[str, Any]] = {
    "local": {
        "order": "bytes",
        "tree": True,
        "write": "create",
        "copy": "create",
        "move": "create",
        "move_atomic": True,
        "returns_version": True,
        "granule_ns": 50_000_000,
        "proves": True,
        "keeps": "link",
        "executable": True,
        "max_name_bytes": 255,
        "abilities": "Nesting Tidy",
    },
    "memory": {
        "order": "bytes",
        "write": "match",
        "delete": "match",
        "copy": "match",
        "move": "match",
        "move_atomic": True,
        "returns_version": True,
        "proves": True,
        "keeps": "copy",
        "executable": True,
        "abilities": "Marked",
    },
    "s3": {
        "tree": True,
        "waits": True,
        "write": "match",
        "copy": "stat",
        "move": "stat",
        "returns_version": True,
        "proves": True,
        "keeps": "copy",
        "max_size_bytes": 5 << 40,
        "max_key_bytes": 1022,
        "refused_characters": "\\",
        "abilities": "Marked Probed Tidy Versioned",
    },
    "volume": DATABRICKS
    | {
        "granule_ns": 1_000_000_000,
        "keeps": "dear",
        "max_size_bytes": 5 << 40,
        "mount": "/Volumes/main/default/landing",
        "abilities": "Dated Rooted Tidy",
    },
    "dbfs": DATABRICKS
    | {
        "move": "create",
        "move_atomic": True,
        "granule_ns": 1_000_000_000,
        "keeps": "move",
        "mount": "/dbfs/landing",
        "abilities": "Dated Rooted Tidy",
    },
    "workspace": DATABRICKS
    | {
        "granule_ns": 1_000_000,
        "keeps": "dear",
        "max_size_bytes": 10 << 20,
        "mount": "/Workspace/Shared/landing",
        "abilities": "Dated Doubling Making Naming Rooted",
    },
    "sqlite": TABLES | {"key": "casefold", "reserved_prefixes": ("_reconcile_", "sqlite_"), "together": 32},
    "duckdb": TABLES | {"key": "casefold", "reserved_prefixes": ("_reconcile_",), "together": 32},
    "postgresql": TABLES | {"waits": True, "max_key_bytes": 63, "reserved_prefixes": ("_reconcile_", "pg_")},
}
"""Traits that are not the usual ones, and which `abilities` there are."""


@contextmanager
def store(kind: str, request: pytest.FixtureRequest) -> Iterator[Store]:
    root = request.getfixturevalue("tmp_path")
    if kind in ENGINES:
        with made(kind, root, request) as database:
            yield database.store()
    elif kind == "s3":
        with FakeS3() as server, closing(ObjectStore.open("s3://bucket/p/", server.options())) as opened_store:
            yield opened_store
    elif kind in ("local", "memory"):
        yield local_store(root) if kind == "local" else MemoryStore()
    else:
        url = next(url for url in ALL if url.startswith(kind))
        with Emulator() as emulator:
            emulator.catalog.add("main", "default", "landing")
            with closing(opened(emulator, url)) as opened_store:
                yield opened_store


def claims(of: Store) -> dict[str, Any]:
    usual = msgspec.structs.asdict(Traits())
    told = {name: value for name, value in msgspec.structs.asdict(of.traits).items() if value != usual[name]}
    return told | {"abilities": " ".join(one.__name__ for one in ABILITIES if isinstance(of, one))}


@pytest.mark.parametrize("kind", CLAIMS)
def test_a_store_claims_what_it_claimed(kind: str, request: pytest.FixtureRequest) -> None:
    with store(kind, request) as of:
        assert claims(of) == CLAIMS[kind]


def test_every_ability_is_claimed_by_some_store() -> None:
    claimed = {name for told in CLAIMS.values() for name in told["abilities"].split()}
    assert claimed == {one.__name__ for one in ABILITIES}
