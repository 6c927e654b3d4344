"""Puts a loaded table in the place of another one in PostgreSQL, with all that hangs on the old one.

Usually by two renames: the lock that takes is held for milliseconds. Where views or foreign keys of other tables hang
on the old table it must stay what it is, so its rows are deleted and the new ones inserted, in the one transaction;
never truncated, which an older snapshot would see as an empty table.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, Protocol

from reconcile.core.errors import RefusedError
from reconcile.stores.table_engine import RESERVED, quoted
from reconcile.stores.table_steps import drop, rename

_OID: Final = "(SELECT c.oid FROM pg_class c WHERE c.relname = $1 AND c.relnamespace = current_schema()::regnamespace)"


class _Session(Protocol):
    def run(self, sql: str, *values: Any) -> list[tuple[Any, ...]]: ...

    def columns(self, name: str) -> tuple[tuple[str, str], ...]: ...


def dependents(session: _Session, name: str) -> list[str]:
    """The views and foreign keys of others that hang on a table."""
    views = session.run(
        "SELECT DISTINCT 'view ' || v.oid::regclass::text FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid "
        "JOIN pg_class v ON v.oid = r.ev_class "
        f"WHERE d.classid = 'pg_rewrite'::regclass AND d.refobjid = {_OID} AND v.oid <> d.refobjid ORDER BY 1",
        name,
    )
    keys = session.run(
        "SELECT 'foreign key ' || quote_ident(k.conname) || ' of ' || k.conrelid::regclass::text FROM pg_constraint k "
        f"WHERE k.contype = 'f' AND k.confrelid = {_OID} AND k.conrelid <> k.confrelid ORDER BY 1",
        name,
    )
    return [str(told) for (told,) in (*views, *keys)]


def swap(session: _Session, new: str, name: str, aside: str) -> bool:
    """Whether rows were exchanged inside the old table, instead of tables under the name."""
    session.run(f"LOCK TABLE {quoted(name)} IN SHARE ROW EXCLUSIVE MODE")
    if hanging := dependents(session, name):
        _exchange(session, new, name, aside, hanging)
        return True
    _check_bearable(session, name)
    on_it = list(_what_hangs(session, name))
    session.run(f"LOCK TABLE {quoted(name)} IN ACCESS EXCLUSIVE MODE")
    if aside:
        _rename_indexes(session, name, aside)
        rename(session, name, aside)  # type: ignore[arg-type]
    else:
        drop(session, name)  # type: ignore[arg-type]
    rename(session, new, name)  # type: ignore[arg-type]
    kept = {column for column, _ in session.columns(name)}
    for column, sql in on_it:
        if not column or column in kept:
            session.run(sql)
    return False


def _exchange(session: _Session, new: str, name: str, aside: str, hanging: list[str]) -> None:
    if session.columns(new) != session.columns(name):
        told = f"its columns change, and others hang on it: {', '.join(hanging)}"
        raise RefusedError(told, op="replace", path=name, hint="drop them first, and make them anew afterwards")
    if aside:
        session.run(f"CREATE TABLE {quoted(aside)} (LIKE {quoted(name)})")
        session.run(f"INSERT INTO {quoted(aside)} SELECT * FROM {quoted(name)}")
    session.run(f"DELETE FROM {quoted(name)}")
    session.run(f"INSERT INTO {quoted(name)} SELECT * FROM {quoted(new)}")
    drop(session, new)  # type: ignore[arg-type]


def _check_bearable(session: _Session, name: str) -> None:
    """What could not be carried over to another table keeps the old one where it is."""
    told = session.run(
        f"SELECT 'trigger ' || quote_ident(tgname) FROM pg_trigger WHERE tgrelid = {_OID} AND NOT tgisinternal "
        f"UNION ALL SELECT 'policy ' || quote_ident(polname) FROM pg_policy WHERE polrelid = {_OID} "
        f"UNION ALL SELECT 'rule ' || quote_ident(rulename) FROM pg_rewrite WHERE ev_class = {_OID} "
        "UNION ALL SELECT 'publication ' || quote_ident(p.pubname) FROM pg_publication_rel r "
        f"JOIN pg_publication p ON p.oid = r.prpubid WHERE r.prrelid = {_OID} "
        f"UNION ALL SELECT 'inheritance of ' || inhrelid::regclass::text FROM pg_inherits WHERE inhparent = {_OID}",
        name,
    )
    if told:
        what = ", ".join(str(one) for (one,) in told)
        message = f"this hangs on the table and cannot be carried over: {what}"
        raise RefusedError(message, op="replace", path=name, hint="drop it first, and make it anew afterwards")


def _what_hangs(session: _Session, name: str) -> Iterator[tuple[str, str]]:
    """(column or "", statement) that makes each constraint, index, grant and comment again, and sets the owner."""
    table = quoted(name)
    constraints = session.run(
        f"SELECT quote_ident(conname), pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = {_OID} "
        "AND contype IN ('p', 'u', 'c', 'x', 'f') ORDER BY contype = 'f', oid",
        name,
    )
    yield from (("", f"ALTER TABLE {table} ADD CONSTRAINT {own} {sql}") for own, sql in constraints)
    indexes = session.run(
        f"SELECT pg_get_indexdef(i.indexrelid) FROM pg_index i WHERE i.indrelid = {_OID} "
        "AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid AND k.conrelid = i.indrelid)",
        name,
    )
    yield from (("", sql) for (sql,) in indexes)
    nullable = session.run(
        f"SELECT attname::text FROM pg_attribute WHERE attrelid = {_OID} AND attnum > 0 AND attnotnull", name
    )
    yield from ((column, f"ALTER TABLE {table} ALTER COLUMN {quoted(column)} SET NOT NULL") for (column,) in nullable)
    yield from _words_and_rights(session, name)


def _words_and_rights(session: _Session, name: str) -> Iterator[tuple[str, str]]:
    table = quoted(name)
    comments = session.run(
        "SELECT coalesce(a.attname::text, ''), quote_literal(d.description) FROM pg_description d "
        "LEFT JOIN pg_attribute a ON a.attrelid = d.objoid AND a.attnum = d.objsubid AND d.objsubid > 0 "
        f"WHERE d.classoid = 'pg_class'::regclass AND d.objoid = {_OID}",
        name,
    )
    for column, text in comments:
        what = f"COLUMN {table}.{quoted(column)}" if column else f"TABLE {table}"
        yield column, f"COMMENT ON {what} IS {text}"
    grants = session.run(
        "SELECT '' AS col, x.privilege_type, x.is_grantable, x.grantee = 0, pg_get_userbyid(x.grantee)::text "
        f"FROM pg_class c, aclexplode(c.relacl) x WHERE c.oid = {_OID} AND x.grantee <> c.relowner "
        "UNION ALL "
        "SELECT a.attname::text, x.privilege_type, x.is_grantable, x.grantee = 0, pg_get_userbyid(x.grantee)::text "
        f"FROM pg_attribute a, aclexplode(a.attacl) x WHERE a.attrelid = {_OID}",
        name,
    )
    for column, right, passable, public, who in grants:
        where = f" ({quoted(column)})" if column else ""
        grantee = "PUBLIC" if public else quoted(who)
        yield column, f"GRANT {right}{where} ON {table} TO {grantee}{' WITH GRANT OPTION' if passable else ''}"
    owner = session.run(
        f"SELECT pg_get_userbyid(relowner)::text FROM pg_class WHERE oid = {_OID} "
        "AND pg_get_userbyid(relowner) <> current_user",
        name,
    )
    yield from (("", f"ALTER TABLE {table} OWNER TO {quoted(who)}") for (who,) in owner)


def _rename_indexes(session: _Session, name: str, aside: str) -> None:
    """The names of indexes belong to the schema: those of the old table make room for the new one's."""
    indexes = session.run(
        f"SELECT c.relname::text FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE i.indrelid = {_OID}",
        name,
    )
    for number, (index,) in enumerate(indexes):
        stem = aside.removeprefix(RESERVED)
        session.run(f"ALTER INDEX {quoted(index)} RENAME TO {quoted(f'{RESERVED}{stem}_{number}')}")
