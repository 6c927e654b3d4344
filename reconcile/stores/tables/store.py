"""Tables in a database as a store: a key is a table's name, its content the rows of one data file.

A file is loaded into a table nobody looks at, counted, and put in its place in one transaction with its row of the
ledger: readers see the old rows or the new ones. What was there is dropped, or kept under another name while an undo
key still stands for it. A version is the load, the number of rows and what else the database tells cheaply of edits;
where it tells too little, a sum over the content is compared before anything is replaced or dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from hashlib import sha256
from importlib import import_module
import re
from secrets import token_hex
from typing import Final, Self

from msgspec.structs import replace

from reconcile.core.entry import ANY, Digest, Entry, Problem, Version
from reconcile.core.errors import BusyError, ChangedError, NotFoundError, StoreError, UsageError
from reconcile.core.inside import Inside
from reconcile.core.path import has_control, is_control_area
from reconcile.ports import Body, Hashes, Leftover, Traits
from reconcile.stores.options import StoreOptions
from reconcile.stores.recipe import Recipe
from reconcile.stores.tables.content import Content, content_of
from reconcile.stores.tables.csv import csv_chunks
from reconcile.stores.tables.engine import Engine, FillsBeside, Gathering, InTurns, Made, Seen
from reconcile.stores.tables.index_column import drop_index, make_index
from reconcile.stores.tables.inside import inside_of_delete, inside_of_write
from reconcile.stores.tables.ledger import LOADING, Ledger, Row
from reconcile.stores.tables.loading import Loader
from reconcile.stores.tables.room import EditedError, Room
from reconcile.stores.tables.together import made_before, read_fresh, write_fresh

_ENGINES: Final = {
    "sqlite": "reconcile.stores.tables.sqlite:SqliteEngine",
    "duckdb": "reconcile.stores.tables.duckdb:DuckdbEngine",
    "postgresql": "reconcile.stores.tables.postgres:PostgresEngine",
}

_LOAD_ID: Final = re.compile(r"[A-Za-z0-9-]{1,32}")
"""Tokens that can be a part of a name."""


def _load_of(body: Body) -> str:
    """The token of the write, where it can be one."""
    return body.token if _LOAD_ID.fullmatch(body.token) else token_hex(8)


class TableStore:
    """The tables of one database (and schema). `recipe` says how files are read, and what they may change."""

    def __init__(self, engine: Engine, recipe: Recipe) -> None:
        self.url = engine.url
        self._engine = engine
        self._recipe = recipe
        self._loader = Loader(engine, recipe)

    @classmethod
    def open(cls, url: str, options: StoreOptions) -> Self:
        """The tables of the database at a `sqlite:`, `duckdb:` or `postgresql:` URL."""
        if options.extra:
            raise UsageError(f"takes no option {min(options.extra)!r}", op="open", path=url)
        module, _, name = _ENGINES[url.partition(":")[0]].partition(":")
        engine: Engine = getattr(import_module(module), name).open(url, options)
        return cls(engine, options.recipe or Recipe())

    @property
    def traits(self) -> Traits:
        """Those of the database."""
        return self._engine.traits

    # --- looking

    def list(self, under: str = "", *, after: str | None = None, until: str | None = None) -> Iterator[Entry | Problem]:
        """One moment of the catalogue. Rejects are a part of their table, and not listed."""
        with self._room() as room:
            found = list(room.kept(under) if is_control_area(under) else room.tables(under))
        for entry in sorted(found, key=lambda entry: entry.key):
            if (after is None or entry.key > after) and (until is None or entry.key <= until):
                yield entry

    def stat(self, key: str) -> Entry | None:
        """A view, and what else is no table, is told by its kind."""
        with suppress(NotFoundError), self._room() as room:
            return room.entry(key)
        return None  # a database that is not there holds nothing

    def token(self, key: str) -> tuple[Version, str] | None:
        """The id of the load is the token of the write."""
        with self._room() as room:
            entry, row = room.entry(key), room.ledger.row(key)
            return (entry.version, row.load if row is not None else "") if entry is not None else None

    def read(self, key: str, *, version: Version | None = None, span: tuple[int, int] | None = None) -> Iterator[bytes]:
        """The rows as CSV (RFC 4180), in the database's order: not the bytes of the file they came from."""
        start, end = span or (0, None)
        at = 0
        with self._room() as room:
            row = room.require("read", key, version)
            for chunk in csv_chunks(room.session, row.name, room.where(row)):
                part = chunk[max(start - at, 0) : None if end is None else max(end - at, 0)]
                at += len(chunk)
                if part:
                    yield part

    def prove(self, entry: Entry, hashes: Hashes) -> bool | None:
        """Rows are those of a file if nobody touched them since they were read from it."""
        return self.made_from(entry) == hashes.sha256

    def made_from(self, entry: Entry) -> Digest:
        """The digest of the file; for rows that were edited, or are a stranger's, one that no file has."""
        with self._room() as room:
            room.require("prove", entry.key, entry.version)
            row = room.row(entry.key)
            if row is None or not row.digest or not room.is_untouched(row):
                return Digest(sha256(f"\0edited {entry.version}".encode()).digest())
            return row.source_digest

    def inside(self, key: str, body: Body | None) -> Inside:
        """Columns and rows, before and after; of a database that is yet to be made, only after."""
        with ExitStack() as opened:
            try:
                room = opened.enter_context(self._room())
            except NotFoundError:
                room = None
            if body is not None:
                return inside_of_write(room, self._loader, key, body)
            return inside_of_delete(room, key) if room is not None else Inside()

    def put_aside(self) -> dict[str, tuple[str, int]]:
        """By key: where its rows are that were put aside when it was loaded, and how many, while they lie there."""
        with suppress(NotFoundError), self._room() as room:
            return room.put_aside()
        return {}

    # --- changing

    def write(self, key: str, body: Body, *, expect: Version) -> Entry:
        """Loads beside, then swaps; a small file in one transaction, where that keeps the others out anyway."""
        load = _load_of(body)
        if body.begun is not None:
            body.begun(load)
        if self._engine.exclusive and body.data is not None:
            with content_of(body) as content:
                return self._loader.trying(partial(self._write_at_once, key, content, body, (expect, load)), None)
        with self._room() as room:
            room.check_name("write", key)
            before = room.glance("write", key, expect)
        try:
            return self._write_beside(key, body, (expect, load, before))
        except BaseException:
            self._loader.abandon(load)
            raise

    def write_many(self, items: Sequence[tuple[str, Body]]) -> Sequence[Entry | None]:
        """New tables of small files in one transaction; None for each that is to be written alone."""
        loads = {key: _load_of(body) for key, body in items}
        if not self._engine.traits.together or len(loads) != len(items):
            return [None] * len(items)
        fresh = [read_fresh(self._loader, key, body, loads[key]) for key, body in items]
        try:
            with self._room(write=True) as room:
                assert isinstance(room.session, Gathering), "the engine says so"
                made = write_fresh(room, room.session, self._loader, [table for table in fresh if table is not None])
        except BusyError:
            raise
        except StoreError:
            with self._room() as room:
                made = made_before(room, loads)
        return [made.get(key) for key, _ in items]

    def _write_at_once(self, key: str, content: Content, body: Body, plan: tuple[Version, str], *, pin: bool) -> Entry:
        expect, load = plan
        with self._room(write=True) as room:
            room.check_name("write", key)
            free = room.expect("write", key, expect) is None and not has_control(key)
            before = room.row(key)
            if free:
                room.forget_rejects(key)
            with self._loader.opened(content, body, before, pin=pin) as data:
                row = self._loader.filled(room.session, data, before, load, name=key if free else "")
            return self._put(room, key, self._loader.finished(row, content, body))

    def _write_beside(self, key: str, body: Body, plan: tuple[Version, str, Row | None]) -> Entry:
        expect, load, before = plan
        with content_of(body) as content:
            if before is not None and content.is_large and (grown := self._grown(content, body, plan)):
                return self._append(key, before, grown, expect)
        with content_of(body) as content:
            staged = self._loader.load(content, body, load, before)

        def put(room: Room) -> Entry:
            room.expect("write", key, expect)
            return self._put(room, key, staged)

        return self._taken(put)

    def _grown(self, content: Content, body: Body, plan: tuple[Version, str, Row | None]) -> Row | None:
        """Only the new rows, loaded beside, of a file that grew; of a table that has those from before."""
        expect, load, before = plan
        if before is None or not before.digest or not before.size < body.size_bytes:
            return None
        part = self._loader.grown(content, body, before)
        if part is None:
            return None
        if not self._may_be_untouched(before, expect):
            return None
        return self._loader.load_grown(content, body, load, before, part)

    def _may_be_untouched(self, before: Row, expect: Version) -> bool:
        """By the version it is to have, which `_append` insists on, where that tells of every edit."""
        if not before.checksum and expect != ANY:
            return not before.edits and expect == before.version(Seen(before.rows, before.mark))
        with self._room() as room:
            return room.is_untouched(before)

    def _append(self, key: str, before: Row, grown: Row, expect: Version) -> Entry:
        with self._room(write=True) as room:
            room.expect("write", key, expect)
            if not room.is_untouched(before):
                raise ChangedError("was edited while its new rows were loaded", op="write", path=key)
            return room.append(before, grown)

    def _put(self, room: Room, key: str, row: Row) -> Entry:
        entry = room.put(key, row)
        if self._recipe.reading.index_column and row.found is not None and not has_control(key):
            make_index(room.session, key, row.found.columns[0].name, self.traits.max_key_bytes)
        return entry

    def copy(self, entry: Entry, key: str, *, expect: Version) -> Entry:
        """Into our own directory only a second key for the table, as long as both stand for the same rows."""

        def copied(room: Room) -> Entry:
            room.check_name("copy", key)
            row = room.require("copy", entry.key, entry.version)
            room.expect("copy", key, expect)
            return room.share(key, row) if has_control(key) else room.put(key, self._duplicate(room, row))

        return self._taken(copied)

    def move(self, entry: Entry, key: str, *, expect: Version) -> Entry:
        """A rename."""

        def moved(room: Room) -> Entry:
            room.check_name("move", key)
            row = room.require("move", entry.key, entry.version)
            if not has_control(entry.key):
                room.check_content("move", row)
            if not room.is_same(key, entry.key):
                room.expect("move", key, expect)
            if not row.upto:
                if self._recipe.reading.index_column and not has_control(entry.key):
                    drop_index(room.session, row)
                return self._put(room, key, row)
            entry_of_copy = self._put(room, key, self._duplicate(room, row))
            room.ledger.drop(row.key)
            return entry_of_copy

        return self._taken(moved)

    def _duplicate(self, room: Room, row: Row) -> Row:
        """A table of its own with the same rows: those of the file only if nobody edited them."""
        copy = self._loader.duplicate(room.session, row)
        return copy if room.is_untouched(row) else replace(copy, digest="")

    def delete(self, items: Sequence[tuple[str, Version]]) -> Sequence[Exception | None]:
        """Each in a transaction of its own."""
        answers: list[Exception | None] = []
        for key, expect in items:
            try:
                self._taken(partial(Room.remove, key=key, expect=expect))
                answers.append(None)
            except StoreError as error:
                answers.append(error)
        return answers

    def leftovers(self) -> Iterator[Leftover | Problem]:
        """Tables that were being filled, and when that began by the clock of who did it; what lies beside them."""
        with self._room() as room:
            rows = room.ledger.rows()
            beside = self._engine.left_beside() if isinstance(self._engine, FillsBeside) else None
        yield from [beside] if beside is not None else []
        for row in rows:
            if row.key.startswith(LOADING):
                yield Leftover(row.key, row.load, row.made_ns)

    def discard(self, key: str, mark: str) -> None:  # noqa: ARG002 - the token alone names what was being filled
        """Drops what that write was filling, and what it, or another that was killed, left beside the database."""
        if mark:
            self._loader.abandon(mark)
        if isinstance(self._engine, FillsBeside):
            self._engine.clear_beside()

    def ensure(self, *, dry: bool = False) -> Sequence[str]:
        """The database, and its schema where it has such."""
        return self._engine.ensure(dry=dry)

    def close(self) -> None:
        """Gives back the connections."""
        self._engine.close()

    # --- inside

    def _taken(self, change: Callable[[Room], Made]) -> Made:
        """A transaction that takes tables from their readers."""

        def once() -> Made:
            with self._room(write=True) as room:
                return change(room)

        return self._engine.in_turns(once) if isinstance(self._engine, InTurns) else once()

    @contextmanager
    def _room(self, *, write: bool = False) -> Iterator[Room]:
        """One transaction; what it found edited, where the database itself had not noticed, is noted after it."""
        try:
            with self._engine.session(write=write) as session:
                if write:
                    session.lock()
                yield Room(session, self._engine.traits, self._loader.recipe, writes=write)
        except EditedError as error:
            with self._engine.session(write=True) as session:
                Ledger(session).edited(error.name)
            raise
