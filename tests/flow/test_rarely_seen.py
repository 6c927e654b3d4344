"""What a plan rarely sees, and a step rarely meets: stores that cannot be read, and what only some of them can do."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from threading import Event
from types import SimpleNamespace
from typing import Any
import uuid

from msgspec import UNSET
import pytest

from reconcile.core.change import Action, Change, Reason
from reconcile.core.entry import ANY, Entry, Version
from reconcile.core.errors import BusyError, NotFoundError, StoreError
from reconcile.core.path import undo_key
from reconcile.flow import insides, names
from reconcile.flow.clock import RealClock
from reconcile.flow.places import check_there, open_place
from reconcile.flow.reading import Stoppable
from reconcile.flow.rejects import put_aside
from reconcile.stores.tables.store import TableStore
from tests.flow.failing import Failing, failing
from tests.flow.undo_kit import became, put_there, undo, why
from tests.flow.world import World

ROWS = "id,v\n1,a\n"


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path, f"memory://{uuid.uuid4().hex}", options={"guard": {"max_delete": "off"}})


@pytest.fixture
def tables(tmp_path: Path) -> World:
    return World(tmp_path, f"sqlite:///{tmp_path}/a.db", mapping="tables")


class Unread:
    """A source that cannot be read, and a target that names files by what they hold."""

    def read(self, _path: str, **_how: Any) -> Any:
        raise StoreError("may not", op="read")

    def why_not(self, _key: str, content: Any) -> str:
        return str(content())

    def name_of(self, _key: str, _head: bytes) -> str:
        raise AssertionError("there is no name without a beginning")


def test_what_cannot_be_read_has_no_name_and_is_told_by_whoever_sends_it() -> None:
    change = Change(1, "docs", Action.CREATE, "a", Reason.NEW)
    assert names.why_unfit(change, Unread(), Unread()) is None  # type: ignore[arg-type]
    wired: Any = SimpleNamespace(source=Unread())
    assert names.name_there(wired, Unread(), "a", "a") is None  # type: ignore[arg-type]
    names._refuse_one_name(wired, Unread(), [Entry("a", 1, Version("1"))], {"a": "other"})  # type: ignore[arg-type]


def test_rows_put_aside_where_nobody_can_look_are_none() -> None:
    class Shut:
        def put_aside(self) -> Any:
            raise StoreError("may not", op="list")

    assert put_aside(SimpleNamespace(), SimpleNamespace(target=Shut())) == []  # type: ignore[arg-type]


def test_a_stream_has_the_handle_of_the_one_inside(tmp_path: Path) -> None:
    with (tmp_path / "a").open("wb") as file:
        inner: Any = SimpleNamespace(stream=lambda *_: file)
        with Stoppable(inner, Event()).stream("a", None, lambda _digest: None) as stream:
            assert stream.fileno() == file.fileno()


@pytest.mark.parametrize("there", [True, False])
def test_a_place_that_is_not_there_is_told_apart_from_an_empty_one(there: bool) -> None:
    rooted: Any = SimpleNamespace(has_root=lambda: there, url="/Volumes/c/s/v")
    with nullcontext() if there else pytest.raises(NotFoundError):
        check_there(rooted)


def test_a_mapping_of_tables_is_opened_as_it_reads_them(tmp_path: Path, tables: World) -> None:
    tables.put(**{"a.csv": ROWS})
    tables.options["table"] = {"key": ["id"]}
    tables.settled()
    there = open_place("tables", tables.spec(), str(tmp_path), clock=RealClock())
    check_there(there)
    assert [item.key for item in there.list() if isinstance(item, Entry)] == ["a"]


def test_a_large_file_of_rows_is_not_looked_into(tables: World, monkeypatch: pytest.MonkeyPatch) -> None:
    tables.put(**{"a.csv": ROWS})
    monkeypatch.setattr(insides, "SMALL_BYTES", 3)
    [change] = tables.plan().changes()
    assert change.inside
    monkeypatch.setattr(insides, "LARGEST_BYTES", 3)
    [change] = tables.plan().changes()
    assert change.inside is UNSET


def test_tables_that_are_made_together_fail_together(tables: World, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def refused(_store: TableStore, items: Any) -> Any:
        asked.append([key for key, _ in items])
        raise BusyError("somebody has it", op="write")

    monkeypatch.setattr(TableStore, "write_many", refused)
    tables.put(**{"a.csv": ROWS, "b.csv": ROWS})
    assert why(tables.apply()) == {"a": "write: somebody has it", "b": "write: somebody has it"}
    assert asked == [["a", "b"]]
    monkeypatch.undo()
    tables.settled()


def test_a_table_without_a_record_that_is_to_be_read_in_another_way_is_made_anew(tables: World) -> None:
    tables.put(**{"a.csv": ROWS})
    tables.settled()
    for path in (tables.root / "state").iterdir():
        path.unlink()
    tables.options["table"] = {"csv": {"null_values": ["a"]}}
    [change] = tables.plan().changes()
    assert (change.action, change.reason) == (Action.UPDATE, Reason.REMADE)
    tables.settled()


def test_of_what_shares_a_database_only_files_claim_a_table(tables: World) -> None:
    other = {"source": str(tables.root / "other"), "target": tables.target}
    alone = {"source": str(tables.root / "third"), "target": f"sqlite:///{tables.root}/b.db"}
    tables.more = {"others": other, "alone": alone}
    tables.put(**{"a.csv": ROWS})
    for name in ("other", "third"):
        tables.write("x.csv", ROWS, tables.root / name)
    tables.settled()
    (tables.root / "other" / "x.csv").rename(tables.src / "x.csv")
    (tables.src / "link.csv").symlink_to("x.csv")
    assert {change.reason for change in tables.plan().changes()} == {Reason.HANDED_OVER, Reason.EQUAL}


def test_what_an_earlier_source_of_the_mapping_sent_is_known_again_with_that_source(world: World) -> None:
    world.put(a="1")
    world.settled()
    world.options["layout"] = "there/{path}"
    [mapping] = world.plan().mappings
    assert any("known again with that" in notice for notice in mapping.notices)


def test_a_cache_control_goes_along(world: World) -> None:
    world.options["object"] = {"cache_control": "max-age=60"}
    with world.house(write=False) as house:
        assert house.mappings[0].sending.attributes == {"Cache-Control": "max-age=60"}


class Stuck(Failing):
    """Nothing is moved from a certain key."""

    def move(self, entry, key, **how):  # type: ignore[no-untyped-def]
        self._maybe("move", entry.key)
        return self.inner.move(entry, key, **how)


def test_what_was_moved_aside_comes_back_when_its_successor_does_not_come(world: World) -> None:
    world.put(a="moves", b="in its way")
    world.settled()
    world.remove("b")
    world.move("a", "b")
    made = failing(world, "move", "a", kind=Stuck, keeps="move")
    assert world.told() == ["move b<a"]
    assert why(world.apply()) == {"b": "move: may not"}
    assert made[-1].fired
    world.around = None
    assert world.there() == {"a": "moves", "b": "in its way"}
    world.settled()


class Robbed(Stuck):
    """And what was kept of others is gone by then."""

    def _maybe(self, call: str, key: str) -> None:
        if key in self.keys:
            assert self.inner.stat(undo_key(2, "b")) is not None
            self.inner.delete([(undo_key(2, "b"), ANY)])
        super()._maybe(call, key)


def test_what_was_moved_aside_and_is_gone_does_not_come_back(world: World) -> None:
    world.put(a="moves", b="in its way")
    world.settled()
    world.remove("b")
    world.move("a", "b")
    made = failing(world, "move", "a", kind=Robbed, keeps="move")
    assert why(world.apply()) == {"b": "move: may not"}
    assert made[-1].fired
    world.around = None
    assert world.there() == {"a": "moves"}
    world.settled()


def test_records_of_another_mapping_and_another_target_are_forgotten(world: World, tmp_path: Path) -> None:
    world.put(a="1")
    world.settled()
    other = World(tmp_path, f"memory://{uuid.uuid4().hex}", mapping="papers", state=world.state)
    [notice] = other.plan().mappings[0].notices
    assert notice == f"orphaned scope: 1 path of {world.src} → {world.target} (forgotten)"


def test_what_was_moved_and_changed_since_does_not_come_back(world: World) -> None:
    world.put(a="moves", b="stays")
    world.settled()
    world.move("a", "c")
    world.settled()
    put_there(world, "c", "a stranger's")
    assert became(undo(world)) == {"a": "cannot", "c": "kept"}
    assert why(undo(world))["a"] == "it was moved to c, which changed since"


def test_a_bucket_that_has_shown_its_keys_by_bytes_is_trusted_in_that(tmp_path: Path) -> None:
    words = {"url": "s3://bucket", "endpoint": "http://127.0.0.1:9", "region": "here"}
    world = World(tmp_path, "team:p", stores={"team": words})
    with world.house(write=False) as house:
        [wired] = house.mappings
        assert wired.target.traits.order == "none"
        assert wired.learnt is not None
        house.cache.put(f"order:{wired.learnt.where}", b"bytes")
    with world.house(write=False) as house:
        assert house.mappings[0].target.traits.order == "bytes"
