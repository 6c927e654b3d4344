"""What PostgreSQL's catalogue tells of a table: what hangs on it, and what on it would meddle with its rows."""

from __future__ import annotations

from typing import Final

from reconcile.stores.tables.engine import Session

HERE: Final = "c.relnamespace = quote_ident(current_schema())::regnamespace"
"""A row of `pg_class` in our schema: by number, which an index finds however many schemas have a table of that name."""

OID: Final = f"(SELECT c.oid FROM pg_class c WHERE c.relname = $1 AND {HERE})"
"""The table whose name is the first value of a statement."""


_ITS_OWN: Final = "('a', 'i', 'P', 'S')"
"""What depends so on a table goes with it."""

_MADE_AGAIN: Final = (
    "(" + ", ".join(f"'{one}'::regclass" for one in ("pg_constraint", "pg_attrdef", "pg_type", "pg_trigger")) + ")"
)
"""What belongs to a table and is made again for the next one, with indexes; the triggers here are those of keys."""

_OF_EVERY_TABLE_ITS_OWN: Final = (
    "ARRAY['oid', 'relname', 'reltype', 'relowner', 'relfilenode', 'relpages', 'reltuples', 'relallvisible', "
    "'relallfrozen', 'reltoastrelid', 'relhasindex', 'relnatts', 'relchecks', 'relhasrules', 'relhastriggers', "
    "'relhassubclass', 'relfrozenxid', 'relminmxid', 'relacl', 'reloptions']"
)
"""What of a table's row in the catalogue is carried over, or need not be; in all else the two must be the same."""


def dependents(session: Session, name: str) -> list[str]:
    """What of others hangs on a table: views, foreign keys, functions that know it, the table it is a partition of."""
    views = session.run(
        "SELECT DISTINCT 'view ' || v.oid::regclass::text FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid "
        "JOIN pg_class v ON v.oid = r.ev_class "
        f"WHERE d.classid = 'pg_rewrite'::regclass AND d.refobjid = {OID} AND v.oid <> d.refobjid ORDER BY 1",
        name,
    )
    keys = session.run(
        "SELECT 'foreign key ' || quote_ident(k.conname) || ' of ' || k.conrelid::regclass::text FROM pg_constraint k "
        f"WHERE k.contype = 'f' AND k.confrelid = {OID} AND k.conrelid <> k.confrelid ORDER BY 1",
        name,
    )
    others = session.run(
        "SELECT DISTINCT pg_describe_object(d.classid, d.objid, d.objsubid) FROM pg_depend d JOIN pg_class c "
        f"ON c.relname = $1 AND {HERE} WHERE d.deptype = 'n' "
        "AND (d.refclassid = 'pg_class'::regclass AND d.refobjid = c.oid "
        "AND d.classid NOT IN ('pg_rewrite'::regclass, 'pg_constraint'::regclass) "
        "OR d.refclassid = 'pg_type'::regclass AND d.refobjid IN "
        "(SELECT unnest(ARRAY[t.oid, t.typarray]) FROM pg_type t WHERE t.oid = c.reltype)) "
        "AND NOT EXISTS (SELECT FROM pg_depend o WHERE o.classid = d.classid AND o.objid = d.objid "
        f"AND o.refclassid = 'pg_class'::regclass AND o.refobjid = c.oid AND o.deptype IN {_ITS_OWN}) "
        f"UNION ALL SELECT 'partition of ' || inhparent::regclass::text FROM pg_inherits WHERE inhrelid = {OID}",
        name,
    )
    return [str(told) for (told,) in (*views, *keys, *others)]


def readable(session: Session, name: str) -> str:
    """The columns as a query names them: what is of a type that somebody made (an enumeration, a record) as text."""
    [(columns,)] = session.run(
        "SELECT string_agg(quote_ident(a.attname) || CASE WHEN t.typnamespace = 'pg_catalog'::regnamespace "
        "THEN '' ELSE '::text' END, ', ' ORDER BY a.attnum) FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid "
        f"WHERE a.attrelid = {OID} AND a.attnum > 0 AND NOT a.attisdropped",
        name,
    )
    return str(columns or "")


def uncarried(session: Session, name: str, fresh: str) -> list[str]:
    """What is on a table that another one, made as the table `fresh` was, would not get; in words."""
    belonging = session.run(
        "SELECT DISTINCT pg_describe_object(d.classid, d.objid, 0) FROM pg_depend d LEFT JOIN pg_class c "
        "ON d.classid = 'pg_class'::regclass AND c.oid = d.objid WHERE d.refclassid = 'pg_class'::regclass "
        f"AND d.refobjid = {OID} AND d.deptype IN {_ITS_OWN} AND d.classid NOT IN {_MADE_AGAIN} "
        "AND coalesce(c.relkind::text, '') NOT IN ('i', 't') "
        "UNION ALL SELECT pg_describe_object(refclassid, refobjid, 0) FROM pg_depend "
        f"WHERE classid = 'pg_class'::regclass AND objid = {OID} AND deptype IN ('e', 'x') ORDER BY 1",
        name,
    )
    settings = session.run(
        "SELECT o.key || ' of the table' FROM pg_class c, pg_class f, "
        f"jsonb_each(to_jsonb(c) - {_OF_EVERY_TABLE_ITS_OWN}) o WHERE c.oid = {OID} AND f.relname = $2 "
        "AND f.relnamespace = c.relnamespace AND o.value <> to_jsonb(f) -> o.key "
        "UNION ALL SELECT 'settings of its large values' FROM pg_class c JOIN pg_class t ON t.oid = c.reltoastrelid "
        f"WHERE c.oid = {OID} AND t.reloptions IS NOT NULL "
        f"UNION ALL SELECT 'grants on its type' FROM pg_type WHERE typrelid = {OID} AND typacl IS NOT NULL "
        f"UNION ALL SELECT 'security label' FROM pg_seclabel WHERE classoid = 'pg_class'::regclass AND objoid = {OID}",
        name,
        fresh,
    )
    return [str(told) for (told,) in (*belonging, *settings, *_of_columns(session, name), *_of_indexes(session, name))]


def _of_columns(session: Session, name: str) -> list[tuple[str]]:
    """Those with settings that no new column has."""
    return session.run(
        "SELECT 'settings of the column ' || quote_ident(a.attname) FROM pg_attribute a "
        f"JOIN pg_type t ON t.oid = a.atttypid WHERE a.attrelid = {OID} AND a.attnum > 0 AND (a.attidentity <> '' "
        "OR a.attgenerated <> '' OR a.attoptions IS NOT NULL OR coalesce(a.attstattarget, -1) >= 0 "
        "OR a.attstorage <> t.typstorage OR a.attcollation <> t.typcollation "
        "OR coalesce(to_jsonb(a) ->> 'attcompression', '') <> '')",
        name,
    )


def _of_indexes(session: Session, name: str) -> list[tuple[str]]:
    """Indexes with more to them than what made them, and constraints with a comment."""
    return session.run(
        "SELECT 'settings of the index ' || c.oid::regclass::text FROM pg_index i JOIN pg_class c "
        f"ON c.oid = i.indexrelid WHERE i.indrelid = {OID} AND (i.indisclustered OR i.indisreplident "
        "OR c.reltablespace <> 0 OR EXISTS (SELECT FROM pg_description d WHERE d.objoid = c.oid "
        "AND d.classoid = 'pg_class'::regclass) OR EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid "
        "AND coalesce(a.attstattarget, -1) >= 0)) "
        "UNION ALL SELECT 'comment on the constraint ' || quote_ident(k.conname) FROM pg_constraint k "
        f"JOIN pg_description d ON d.objoid = k.oid AND d.classoid = 'pg_constraint'::regclass "
        f"WHERE k.conrelid = {OID}",
        name,
    )


def obstacles(session: Session, name: str) -> list[str]:
    """What would change, hide or add to the rows that go in or out: they are not exchanged then."""
    told = session.run(
        f"SELECT 'trigger ' || quote_ident(tgname) FROM pg_trigger WHERE tgrelid = {OID} AND NOT tgisinternal "
        f"UNION ALL SELECT 'row level security' FROM pg_class WHERE oid = {OID} AND relrowsecurity "
        f"UNION ALL SELECT 'policy ' || quote_ident(polname) FROM pg_policy WHERE polrelid = {OID} "
        f"UNION ALL SELECT 'rule ' || quote_ident(rulename) FROM pg_rewrite WHERE ev_class = {OID} "
        f"UNION ALL SELECT 'inheritance of ' || inhrelid::regclass::text FROM pg_inherits WHERE inhparent = {OID}",
        name,
    )
    return [str(one) for (one,) in told]
