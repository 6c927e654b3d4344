"""What PostgreSQL's catalogue tells of a table: what hangs on it, and what on it would meddle with its rows."""

from __future__ import annotations

from typing import Final

from reconcile.stores.table_engine import Session

OID: Final = "(SELECT c.oid FROM pg_class c WHERE c.relname = $1 AND c.relnamespace = current_schema()::regnamespace)"
"""The table whose name is the first value of a statement."""


def dependents(session: Session, name: str) -> list[str]:
    """The views and foreign keys of others that hang on a table."""
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
    return [str(told) for (told,) in (*views, *keys)]


def obstacles(session: Session, name: str) -> list[str]:
    """What would change, hide or add to the rows that go in or out: no other table can be had in its place either."""
    told = session.run(
        f"SELECT 'trigger ' || quote_ident(tgname) FROM pg_trigger WHERE tgrelid = {OID} AND NOT tgisinternal "
        f"UNION ALL SELECT 'row level security' FROM pg_class WHERE oid = {OID} AND relrowsecurity "
        f"UNION ALL SELECT 'policy ' || quote_ident(polname) FROM pg_policy WHERE polrelid = {OID} "
        f"UNION ALL SELECT 'rule ' || quote_ident(rulename) FROM pg_rewrite WHERE ev_class = {OID} "
        "UNION ALL SELECT 'publication ' || quote_ident(p.pubname) FROM pg_publication_rel r "
        f"JOIN pg_publication p ON p.oid = r.prpubid WHERE r.prrelid = {OID} "
        f"UNION ALL SELECT 'inheritance of ' || inhrelid::regclass::text FROM pg_inherits WHERE inhparent = {OID}",
        name,
    )
    return [str(one) for (one,) in told]
