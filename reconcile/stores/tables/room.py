"""The tables of a database in one transaction: which there are, whose, at what version, how they change places."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from secrets import token_hex
import time

from msgspec.structs import replace

from reconcile.core.entry import ABSENT, ANY, Entry, Kind, Version
from reconcile.core.errors import ChangedError, DamagedError, NotFoundError, RefusedError
from reconcile.core.path import has_control, is_under, is_utf8, same_name
from reconcile.core.traits import Traits
from reconcile.stores.tables.engine import REJECTED, RESERVED, Seen, Session, quoted
from reconcile.stores.tables.index_column import drop_index
from reconcile.stores.tables.ledger import LOADING, Ledger, Row
from reconcile.stores.tables.loading import drop_with_rejects, has_rejects
from reconcile.stores.tables.steps import drop, rename


class EditedError(ChangedError):
    """The content of the table `name` is not what was loaded, though the database did not tell before we looked."""

    def __init__(self, name: str, op: str, key: str) -> None:
        hint = "plan again: it is told as a change in the target"
        super().__init__("was edited since it was loaded", op=op, path=key, hint=hint)
        self.name = name


class Room:
    """One transaction. `recipe` is how files are read today; who `writes` holds what it looks at."""

    def __init__(self, session: Session, traits: Traits, recipe: str, *, writes: bool = False) -> None:
        self.session = session
        self.ledger = Ledger(session)
        self._traits = traits
        self._recipe = recipe
        self._writes = writes
        self._looked: dict[tuple[str, str, int], Seen] = {}

    # --- looking

    def tables(self, under: str) -> Iterator[Entry]:
        """All tables but ours for our own use; views and the like by their kind."""
        rows = {row.name: row for row in self.ledger.rows() if not has_control(row.key)}
        rejects = {row.name + REJECTED for row in rows.values() if row.rejected}
        names = {
            name: is_table
            for name, is_table in self.session.names().items()
            if not name.startswith(RESERVED) and not has_control(name) and name not in rejects
        }
        tables = [name for name, is_table in names.items() if is_table]
        seen = self.session.look({name: _noted(rows.get(name)) for name in tables})
        for name, is_table in names.items():
            if under and not is_under(name, under):
                continue
            if not is_table:
                yield Entry(name, 0, Version("view"), kind=Kind.SPECIAL)
            elif name in seen:
                yield self._entry(name, rows.get(name), seen[name])

    def kept(self, under: str) -> Iterator[Entry]:
        """What is in our own directory."""
        rows = [row for row in self.ledger.rows() if is_under(row.key, under) and not row.key.startswith(LOADING)]
        seen = self.session.look({row.name: _noted(row) for row in rows})
        for row in rows:
            if row.name in seen:
                yield self._entry(row.key, row, seen[row.name])

    def entry(self, key: str) -> Entry | None:
        """What stands under a key."""
        name, is_table = self._standing(key)
        if name is None:
            return None
        if not is_table:
            return Entry(key, 0, Version("view"), kind=Kind.SPECIAL)
        row = self.ledger.row(key if has_control(key) else name)
        seen = self._look(name, row)
        return self._entry(key, row, seen) if seen is not None else None

    def row(self, key: str) -> Row | None:
        """What the ledger tells of a key, however it is spelled."""
        if has_control(key):
            return self.ledger.row(key)
        name, _ = self._standing(key)
        return self.ledger.row(name) if name is not None else None

    def _look(self, name: str, row: Row | None) -> Seen | None:
        """One table, looked at once in a transaction, while nobody changes it: its rows may have to be counted."""
        noted = _noted(row)
        if (name, *noted) not in self._looked:
            if self._writes:
                self.session.hold(name)
            if seen := self.session.look({name: noted}).get(name):
                self._looked[(name, *noted)] = seen
        return self._looked.get((name, *noted))

    def _standing(self, key: str) -> tuple[str | None, bool]:
        """The name that a key has in the database, if it has one, and whether that is a table."""
        if has_control(key):
            row = self.ledger.row(key)
            return (row.name if row is not None else None), True
        names = self.session.names(key)
        name = key if key in names else next(iter(names), None)
        return name, names.get(name or "", False)

    def _entry(self, key: str, row: Row | None, seen: Seen) -> Entry:
        if row is None or not row.load:
            return Entry(key, 0, Version(f"-.{seen.rows}.{seen.mark}"), mtime_ns=row.made_ns if row else 0)
        return Entry(key, row.size, row.version(seen), row.made_ns, outdated=row.recipe not in ("", self._recipe))

    def where(self, row: Row) -> str:
        """The condition for the rows that are meant."""
        return self.session.first(row.name, row.upto, row.mark) if row.upto else "TRUE"

    def count(self, row: Row) -> int:
        """How many rows a table has now; -1 for a stranger's."""
        seen = self._look(row.name, row)
        return seen.rows if seen is not None else -1

    def put_aside(self) -> dict[str, tuple[str, int]]:
        """Of the tables that have rejects: the name of these, and how many."""
        rows = [row for row in self.ledger.with_rejects() if not has_control(row.key)]
        return {
            row.key: (row.name + REJECTED, row.rejected) for row in rows if self.session.columns(row.name + REJECTED)
        }

    def is_untouched(self, row: Row) -> bool:
        """Whether the rows are those that were loaded, by all that can be found out.

        The first rows of a table are as they were if the whole of it is: who stands for that hears of every edit.
        """
        if row.upto:
            [(rows,)] = self.session.run(f"SELECT count(*) FROM {quoted(row.name)} WHERE {self.where(row)}")
            whole = [each for each in self.ledger.sharing(row.name) if not each.upto]
            return rows == row.upto and not row.edits and all(map(self.is_untouched, whole[:1]))
        return self._seems_untouched(row) and self._has_sum(row)

    def _seems_untouched(self, row: Row) -> bool:
        """By all that is found out cheaply."""
        return not row.edits and self._look(row.name, row) == Seen(row.rows, row.mark)

    def _has_sum(self, row: Row) -> bool:
        way, _, total = row.checksum.partition(" ")
        now = self.session.checksum(row.name).partition(" ") if way else ("", "", "")
        return now[0] != way or now[2] == total

    # --- insisting

    def check_name(self, op: str, key: str) -> None:
        """A name is kept exactly, or refused; our own keys are no names."""
        if not key or "\0" in key or not is_utf8(key):
            raise RefusedError("no table can have this name", op=op, path=key)
        if has_control(key):
            return
        for prefix in self._traits.reserved_prefixes:
            if key.casefold().startswith(prefix):
                raise RefusedError(f"names that begin with `{prefix}` are reserved", op=op, path=key)
        most_bytes, length = self._traits.max_key_bytes, len(key.encode())
        if most_bytes and length > most_bytes:
            raise RefusedError(f"the name is {length} bytes long, the database takes {most_bytes}", op=op, path=key)

    def why_rejects_clash(self, key: str, row: Row | None, *, rejected: bool) -> str:
        """Why a table cannot stand under `key`, or `rejected` rows of it beside it, because of the names; else ""."""
        for other in self.ledger.with_rejects():
            if self.is_same(other.name + REJECTED, key):
                return f"the rows that were put aside of `{other.name}` have this name"
        most_bytes = self._traits.max_key_bytes
        if rejected and most_bytes and len((key + REJECTED).encode()) > most_bytes:
            return f"rows are to be put aside, and `{key + REJECTED}` is too long for a name"
        taken = next(iter(self.session.names(key + REJECTED)), "")
        before = row or self.ledger.row(key)  # of a table that somebody dropped the rejects may have stayed
        if rejected and taken and not (before is not None and before.rejected):
            return f"rows are to be put aside, and `{taken}` is not a table of such rows"
        return ""

    def is_same(self, key: str, other: str) -> bool:
        """Whether two keys are spellings of one name."""
        return same_name(key, other, self._traits.key)

    def expect(self, op: str, key: str, expect: Version) -> Entry | None:
        """What is there; `ChangedError` unless it is as expected."""
        there = self.entry(key)
        if there is not None and there.kind is not Kind.FILE:
            raise self._no_table(op, key)
        if expect not in (ANY, ABSENT if there is None else there.version):
            raise ChangedError("is not what was expected there", op=op, path=key)
        return there

    def glance(self, op: str, key: str, expect: Version) -> Row | None:
        """What the ledger tells of a key; `ChangedError` where that alone tells that something else is there.

        It spares a load that would be for nothing; what counts is what `expect` finds when the table is changed.
        """
        name, is_table = self._standing(key)
        if name is not None and not is_table:
            raise self._no_table(op, key)
        row = self.row(key)
        load = "" if name is None else (row.load if row is not None else "") or "-"
        if expect != ANY and (bool(load) if expect == ABSENT else not load or not expect.startswith(f"{load}.")):
            raise ChangedError("is not what was expected there", op=op, path=key)
        return row

    def _no_table(self, op: str, key: str) -> RefusedError:
        return RefusedError("something that is no table has this name", op=op, path=key)

    def require(self, op: str, key: str, version: Version | None) -> Row:
        """What stands under `key`, at that very version; a stranger's table gets a row that says nothing of it."""
        there = self.entry(key)
        if there is None or there.kind is not Kind.FILE:
            raise NotFoundError("there is no such table", op=op, path=key)
        if version not in (None, ANY, there.version):
            raise ChangedError("was changed since it was looked at", op=op, path=key)
        row = self.table(key)
        assert row is not None, "it has an entry"
        return row

    def table(self, key: str) -> Row | None:
        """What is known of the table under a key; of a stranger's no more than its name."""
        name, is_table = self._standing(key)
        if name is None or not is_table:
            return None
        return self.ledger.row(key if has_control(key) else name) or self._strange(name)

    def _strange(self, name: str) -> Row:
        seen = self._look(name, None)
        assert seen is not None, "it was found among the tables"
        return Row(name, name, "", rows=seen.rows, mark=seen.mark)

    # --- changing

    def put(self, key: str, row: Row) -> Entry:
        """The table of `row` gets to stand under `key`; its old key is free. What stood there goes, or is kept.

        What was being filled is still as it was settled: an edit since then is found by the next look, as any other.
        """
        name = row.name if row.name == key else _free_name() if has_control(key) else key
        mark = row.mark
        if row.rejected and name == key != row.name:
            clash = self.why_rejects_clash(key, self.row(key), rejected=True)
            if clash:
                raise RefusedError(clash, op="write", path=key)
        if name != row.name:
            self.ledger.make()
            old_name = None if self.is_same(key, row.key) else self._standing(key)[0]
            if old_name is None:
                self.forget_rejects(key)
                self._rename(row, name, leaves=has_control(key))
            else:
                mark = self._replace(row, name, old_name, self.row(key))
            self.ledger.drop(row.key)
            self.ledger.renamed(row.name, name)
        put = replace(row, key=key, name=name, mark=mark, made_ns=time.time_ns())
        self.ledger.put(put)
        self._looked.clear()
        seen = Seen(put.rows, put.mark) if row.key.startswith(LOADING) else self._look(name, put)
        assert seen is not None, "the table is there"
        return self._entry(key, put, seen)

    def _has_rejects(self, row: Row) -> bool:
        """They may be gone: who has dealt with them drops them."""
        return bool(row.rejected) and has_rejects(self.session, row.name)

    def forget_rejects(self, key: str) -> None:
        """Those of a table that somebody dropped without them: they say nothing of the one that comes."""
        gone = self.ledger.row(key)
        if gone is not None and gone.name == key and self._has_rejects(gone):
            drop(self.session, key + REJECTED)

    def _rename(self, row: Row, name: str, *, leaves: bool) -> None:
        if leaves:
            self._check_nothing_hangs("delete", row.name)
            drop_index(self.session, row)
        self.session.rename(row.name, name)
        if self._has_rejects(row):
            rename(self.session, row.name + REJECTED, name + REJECTED)

    def _replace(self, row: Row, name: str, old_name: str, old: Row | None) -> str:
        """What stood there is aside while another key stands for it."""
        self.check_content("write", old)
        self._note_first_rows(old_name)
        kept = [each for each in self.ledger.sharing(old_name) if old is None or each.key != old.key]
        edited = {each.key for each in kept if not each.upto and not self._seems_untouched(each)}
        aside = _free_name() if kept else ""
        if old is not None and self._has_rejects(old):
            if aside:
                rename(self.session, old_name + REJECTED, aside + REJECTED)
            else:
                drop(self.session, old_name + REJECTED)
        marks = self.session.replace(row.name, name, aside, row.mark)
        if row.rejected:
            rename(self.session, row.name + REJECTED, name + REJECTED)
        for each in kept:
            if marks[1] and each.upto:  # who wrote a row is not known any more
                self.ledger.drop(each.key)
            else:  # rows that were copied look untouched: that they are not is written down
                self.ledger.put(replace(each, name=aside, mark=marks[1] or each.mark))
                if marks[1] and each.key in edited:
                    self.ledger.edited(aside)
        return marks[0]

    def _note_first_rows(self, name: str) -> None:
        """Writes down which first rows of a table were edited: who stands for the whole of it, and knows, goes."""
        for each in self.ledger.sharing(name):
            if each.upto and not self.is_untouched(each):
                self.ledger.put(replace(each, edits=each.edits + 1))

    def came(self, rows: Sequence[Row]) -> dict[str, Entry]:
        """Tables that were made under their keys, where nothing stood, and settled."""
        self.ledger.add(*rows)
        return {row.key: self._entry(row.key, row, Seen(row.rows, row.mark)) for row in rows}

    def append(self, row: Row, new: Row) -> Entry:
        """The rows of `new` are added to those of `row`; keys that stand for the same table now mean its first rows."""
        for each in self.ledger.sharing(row.name):
            if each.key != row.key and not each.upto:
                self.ledger.put(replace(each, upto=each.rows))
        seen = self.session.append(row.name, new.name, row.mark, new.load)
        self._looked.clear()
        if seen.rows != (meant := row.rows + new.rows):
            message = f"holds {seen.rows:,} rows, not the {meant:,} that there are in the file"
            raise DamagedError(message, op="append", path=row.name)
        drop_with_rejects(self.session, new.name)
        self.ledger.drop(new.key)
        grown = replace(
            row,
            load=new.load,
            digest=new.digest,
            size=new.size,
            rows=seen.rows,
            mark=seen.mark,
            checksum=self.session.checksum(row.name),
            made_ns=time.time_ns(),
        )
        self.ledger.put(grown)
        return self._entry(row.key, grown, seen)

    def share(self, key: str, row: Row) -> Entry:
        """Another key for the same table, one of ours."""
        self.ledger.make()
        self.remove(key, ANY)
        self.ledger.add(replace(row, key=key, made_ns=time.time_ns()))
        entry = self.entry(key)
        assert entry is not None, "the table is there"
        return entry

    def remove(self, key: str, expect: Version) -> None:
        """Drops what stands under a key, or just the key while another stands for it too; absent is done."""
        there = self.entry(key)
        if there is None:
            if has_control(key) and self.ledger.row(key) is not None:
                self.ledger.drop(key)
            return
        self.expect("delete", key, expect)
        row = self.require("delete", key, None)
        others = [each for each in self.ledger.sharing(row.name) if each.key != row.key]
        if not others or not has_control(key):
            self.check_content("delete", row)
        if not others:
            self._check_nothing_hangs("delete", row.name)
            drop(self.session, row.name)
            if self._has_rejects(row):
                drop(self.session, row.name + REJECTED)
        elif not has_control(key):
            self._note_first_rows(row.name)
            self._rename(row, aside := _free_name(), leaves=True)
            self.ledger.renamed(row.name, aside)
        self.ledger.drop(row.key)
        self._looked.clear()

    def check_content(self, op: str, row: Row | None) -> None:
        """A table that the database takes for untouched must have the content that was loaded."""
        if row is not None and row.checksum and self._seems_untouched(row) and not self._has_sum(row):
            raise EditedError(row.name, op, row.key)

    def _check_nothing_hangs(self, op: str, name: str) -> None:
        if hanging := self.session.hanging(name):
            told = f"others hang on it: {', '.join(hanging)}"
            raise RefusedError(told, op=op, path=name, hint="drop them first, or keep the file")


def _free_name() -> str:
    return f"{RESERVED}kept_{token_hex(8)}"


def _noted(row: Row | None) -> tuple[str, int]:
    return (row.mark, row.rows) if row is not None and row.load else ("", -1)
