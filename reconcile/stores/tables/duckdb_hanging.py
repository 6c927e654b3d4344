"""What else in a DuckDB file could not go on without a table: the views that read it."""

from __future__ import annotations

from collections.abc import Iterator
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import duckdb

_NAME: Final = r'(?:"(?:[^"]|"")*"|[^\s"(.]+)'
_BEFORE_QUERY: Final = re.compile(
    rf'CREATE VIEW (?:{_NAME}\.)*{_NAME}\s*(?:\((?:[^()"]|"(?:[^"]|"")*")*\))?\s* AS ', re.DOTALL
)


def views_on(connection: duckdb.DuckDBPyConnection, name: str) -> Iterator[str]:
    """In words. DuckDB tells itself what a query reads, through other views, too."""
    import duckdb  # noqa: PLC0415 - heavy

    views = "SELECT view_name, sql FROM duckdb_views() WHERE NOT internal AND NOT temporary ORDER BY view_name"
    for view, sql in connection.execute(views).fetchall():
        before = _BEFORE_QUERY.match(sql)
        try:
            read = connection.get_table_names(sql[before.end() if before else 0 :])
        except duckdb.Error:  # it lacks something already
            continue
        if name.casefold() in map(str.casefold, read):
            yield f"view {view}"
