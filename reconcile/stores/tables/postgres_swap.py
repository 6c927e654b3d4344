"""Puts a loaded table in the place of another one in PostgreSQL, with all that hangs on the old one.

Usually by two renames: the lock that takes is held for milliseconds. Where anything hangs on the old table that the new
one would not get, by the catalogue (a view of others, a partition's parent, a publication, a setting …), it must stay
what it is, so its rows are deleted and the new ones inserted, in the one transaction; never truncated, which an older
snapshot would see as an empty table.
"""

from __future__ import annotations

from collections.abc import Iterator

from reconcile.core.errors import BusyError, DamagedError, RefusedError
from reconcile.stores.tables.engine import RESERVED, Session, quoted
from reconcile.stores.tables.postgres_catalogue import OID, dependents, uncarried
from reconcile.stores.tables.steps import check_carried, drop, rename, take


def swap(session: Session, new: str, name: str, aside: str) -> bool:
    """Whether rows were exchanged inside the old table, which is held, instead of tables under the name."""
    check_carried(session, name)
    if hanging := dependents(session, name) + uncarried(session, name, new):
        _exchange(session, new, name, aside, hanging)
        return True
    on_it = list(_what_hangs(session, name, new))
    take(session)
    session.run(f"LOCK TABLE {quoted(name)} IN ACCESS EXCLUSIVE MODE")
    if dependents(session, name):  # a view may be made of a table that is only held
        raise BusyError("somebody made something that hangs on it meanwhile", op="replace", path=name)
    if aside:
        _rename_indexes(session, name, aside)
        rename(session, name, aside)
    else:
        drop(session, name)
    rename(session, new, name)
    if new.startswith(RESERVED):
        _lay_bare(session, name)
    kept = {column for column, _ in session.columns(name)}
    for column, sql in on_it:
        if not column or column in kept:
            session.run(sql)
    return False


def _lay_bare(session: Session, name: str) -> None:
    """A table that was kept, and comes back into its place, has its own of what is made anew."""
    own = session.run(
        f"SELECT quote_ident(conname) FROM pg_constraint WHERE conrelid = {OID} "
        "AND contype IN ('p', 'u', 'c', 'x', 'f') ORDER BY contype <> 'f'",
        name,
    )
    for (constraint,) in own:
        session.run(f"ALTER TABLE {quoted(name)} DROP CONSTRAINT {constraint}")
    for (index,) in session.run(f"SELECT indexrelid::regclass::text FROM pg_index WHERE indrelid = {OID}", name):
        session.run(f"DROP INDEX {index}")


def _exchange(session: Session, new: str, name: str, aside: str, hanging: list[str]) -> None:
    if session.columns(new) != session.columns(name):
        told = f"its columns change, and others hang on it: {', '.join(hanging)}"
        raise RefusedError(told, op="replace", path=name, hint="drop them first, and make them anew afterwards")
    if aside:
        session.run(f"CREATE TABLE {quoted(aside)} (LIKE {quoted(name)})")
        session.run(f"INSERT INTO {quoted(aside)} SELECT * FROM {quoted(name)}")
    session.run(f"DELETE FROM {quoted(name)}")
    session.run(f"INSERT INTO {quoted(name)} SELECT * FROM {quoted(new)}")
    [(rows, meant)] = session.run(f"SELECT (SELECT count(*) FROM {quoted(name)}), (SELECT count(*) FROM {quoted(new)})")
    if rows != meant:
        raise DamagedError(f"holds {rows:,} rows, not the {meant:,} that were loaded", op="replace", path=name)
    drop(session, new)


def _what_hangs(session: Session, name: str, new: str) -> Iterator[tuple[str, str]]:
    """(column or "", statement) that makes each constraint, index, grant and comment again, and sets the owner."""
    table = quoted(name)
    constraints = session.run(
        f"SELECT quote_ident(conname), pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = {OID} "
        "AND contype IN ('p', 'u', 'c', 'x', 'f') ORDER BY contype = 'f', oid",
        name,
    )
    yield from (("", f"ALTER TABLE {table} ADD CONSTRAINT {own} {sql}") for own, sql in constraints)
    indexes = session.run(
        f"SELECT pg_get_indexdef(i.indexrelid) FROM pg_index i WHERE i.indrelid = {OID} "
        "AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid AND k.conrelid = i.indrelid)",
        name,
    )
    yield from (("", sql) for (sql,) in indexes)
    nullable = session.run(
        f"SELECT attname::text FROM pg_attribute WHERE attrelid = {OID} AND attnum > 0 AND attnotnull", name
    )
    yield from ((column, f"ALTER TABLE {table} ALTER COLUMN {quoted(column)} SET NOT NULL") for (column,) in nullable)
    yield from _settings(session, name)
    yield from _words(session, name)
    yield from _rights(session, name, new)


def _settings(session: Session, name: str) -> Iterator[tuple[str, str]]:
    table = quoted(name)
    defaults = session.run(
        "SELECT a.attname::text, pg_get_expr(d.adbin, d.adrelid) FROM pg_attrdef d JOIN pg_attribute a "
        f"ON a.attrelid = d.adrelid AND a.attnum = d.adnum WHERE d.adrelid = {OID} AND a.attgenerated = ''",
        name,
    )
    yield from (
        (column, f"ALTER TABLE {table} ALTER COLUMN {quoted(column)} SET DEFAULT {sql}") for column, sql in defaults
    )
    parameters = session.run(
        "SELECT quote_ident(o.option_name) || ' = ' || quote_literal(o.option_value) "
        f"FROM pg_class c, pg_options_to_table(c.reloptions) o WHERE c.oid = {OID}",
        name,
    )
    yield from (("", f"ALTER TABLE {table} SET ({sql})") for (sql,) in parameters)


def _words(session: Session, name: str) -> Iterator[tuple[str, str]]:
    table = quoted(name)
    comments = session.run(
        "SELECT coalesce(a.attname::text, ''), quote_literal(d.description) FROM pg_description d "
        "LEFT JOIN pg_attribute a ON a.attrelid = d.objoid AND a.attnum = d.objsubid AND d.objsubid > 0 "
        f"WHERE d.classoid = 'pg_class'::regclass AND d.objoid = {OID}",
        name,
    )
    for column, text in comments:
        what = f"COLUMN {table}.{quoted(column)}" if column else f"TABLE {table}"
        yield column, f"COMMENT ON {what} IS {text}"


def _rights(session: Session, name: str, new: str) -> Iterator[tuple[str, str]]:
    """The owner, and then exactly the rights that there are: none that a new table is given by default."""
    table = quoted(name)
    owner = session.run(
        f"SELECT pg_get_userbyid(relowner)::text FROM pg_class WHERE oid = {OID} "
        "AND pg_get_userbyid(relowner) <> current_user",
        name,
    )
    yield from (("", f"ALTER TABLE {table} OWNER TO {quoted(who)}") for (who,) in owner)
    given = session.run(
        "SELECT DISTINCT x.grantee = 0, coalesce(pg_get_userbyid(nullif(x.grantee, 0))::text, '') FROM pg_class c, "
        f"aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) x WHERE c.oid = {OID}",
        new,
    )
    yield from (("", f"REVOKE ALL ON {table} FROM {_role(public, who)}") for public, who in given)
    grants = session.run(
        "SELECT '' AS col, x.privilege_type, x.is_grantable, x.grantee = 0, pg_get_userbyid(x.grantee)::text "
        f"FROM pg_class c, aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) x WHERE c.oid = {OID} "
        "UNION ALL "
        "SELECT a.attname::text, x.privilege_type, x.is_grantable, x.grantee = 0, pg_get_userbyid(x.grantee)::text "
        f"FROM pg_attribute a, aclexplode(a.attacl) x WHERE a.attrelid = {OID}",
        name,
    )
    for column, right, passable, public, who in grants:
        where = f" ({quoted(column)})" if column else ""
        option = " WITH GRANT OPTION" if passable else ""
        yield column, f"GRANT {right}{where} ON {table} TO {_role(public, who)}{option}"


def _role(public: bool, who: str) -> str:  # noqa: FBT001 - as a row of the catalogue has it
    return "PUBLIC" if public else quoted(who)


def _rename_indexes(session: Session, name: str, aside: str) -> None:
    """The names of indexes belong to the schema: those of the old table make room for the new one's."""
    indexes = session.run(
        f"SELECT c.relname::text FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE i.indrelid = {OID}",
        name,
    )
    for number, (index,) in enumerate(indexes):
        stem = aside.removeprefix(RESERVED)
        session.run(f"ALTER INDEX {quoted(index)} RENAME TO {quoted(f'{RESERVED}{stem}_{number}')}")
