"""Which values a column may hold: the one place that says when a text may become something else than text.

**The rule.** A column gets a type only if every cell of the file, written back from the typed value, is the same text
again. Nothing may be lost but what carries no meaning: a `.0` behind a whole double (`3` and `3.0`), the capitals of
`true`, the `T` between day and time, zeros that end a fraction of a second. So `007`, `+1`, `1e5`, `1_000` and `NA`
stay text, as does `01/02/2024`, whose meaning nobody can tell. The candidates, first that all cells survive:

| type | the cells look like |
|---|---|
| `boolean` | `true` `false` |
| `integer` | `0` `-17`, within 64 bits |
| `double` | the shortest form of a double: `0.1` `3` `1e-05`, never `1.50`, never more digits than it can hold |
| `decimal(p,s)` | the same number of decimals in all cells: `12.50`, or whole numbers beyond 64 bits; `p` is 15 or 38 |
| `date` | `2024-02-29` |
| `timestamp` | `2024-02-29 23:59:59.999999`, `T` in place of the space, seconds may be missing |
| `timestamptz` | the same with `Z` or `+00:00`: another offset would be lost |
| `text` | everything else |

A type that the spec **declares** takes a cell for what it means (`007` is 7, `+1.50` is 1.5): it must still hold the
value exactly, else the row is bad. `date(%d/%m/%Y)` and `timestamp(…)` declare how dates are written.

Both kinds are expressions of DuckDB, so that they run in its threads, a vector at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
import re
from typing import Final, NamedTuple

from reconcile.stores.data.engine import cursor, literal
from reconcile.stores.data.file import Column, DataError

CANDIDATES: Final = ("boolean", "integer", "double", "decimal", "date", "timestamp", "timestamptz")
"""What an undeclared column may become, in this order, else it is text. Its cells tell which `decimal`."""

SQL_TYPES: Final = {
    "text": "VARCHAR",
    "integer": "BIGINT",
    "double": "DOUBLE",
    "boolean": "BOOLEAN",
    "date": "DATE",
    "time": "TIME",
    "timestamp": "TIMESTAMP",
    "timestamptz": "TIMESTAMPTZ",
    "blob": "BLOB",
    "json": "VARCHAR",
}
ALIASES: Final = {
    "text": ("text", "string", "varchar"),
    "integer": ("integer", "int", "bigint", "smallint", "int2", "int4", "int8", "int16", "int32", "int64", "long"),
    "double": ("double", "double precision", "float", "float8", "float64", "real"),
    "boolean": ("boolean", "bool"),
    "date": ("date",),
    "time": ("time",),
    "timestamp": ("timestamp", "datetime", "timestamp without time zone"),
    "timestamptz": ("timestamptz", "timestamp with time zone"),
    "json": ("json", "jsonb"),
}
NAMES: Final = {alias: name for name, aliases in ALIASES.items() for alias in aliases}
PANDAS_CANDIDATES: Final = ("boolean", "integer", "double", "decimal")
"""The same for a table as pandas writes it, where days stay text."""

DECIMAL: Final = re.compile(r"(?:decimal|numeric)\((\d+)(?:,(\d+))?\)")
FORM: Final = re.compile(r"(date|timestamp)\((.*%.*)\)")
MAX_DIGITS: Final = 38
ISO_DAY: Final = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
ISO_CLOCK: Final = r"[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6}0*)?)?"
TRUE: Final = ("true", "t", "yes", "y", "on", "1")
FALSE: Final = ("false", "f", "no", "n", "off", "0")


class Judged(NamedTuple):
    """Two expressions over one cell: its typed value, and whether it is bad (never true for a null)."""

    value: str
    bad: str


def declared(name: str, words: str) -> Column:
    """The column whose type the spec gives in `words`: ``numeric(10,2)``, ``bigint``, ``date(%d.%m.%Y)``."""
    form = FORM.fullmatch(words.strip())
    if form:
        return Column(name, form[1], declared=True, form=form[2])
    plain = re.sub(r"\s*([(),])\s*", r"\1", " ".join(words.lower().split()))
    number = DECIMAL.fullmatch(plain)
    if number and 0 < int(number[1]) <= MAX_DIGITS and int(number[2] or 0) <= int(number[1]):
        return Column(name, decimal(int(number[1]), int(number[2] or 0)), declared=True)
    if plain not in NAMES:
        known = ", ".join((*ALIASES, "decimal(p,s) up to 38 digits", "date(%d/%m/%Y)", "timestamp(…)"))
        raise DataError(f"types: `{name}` is declared as `{words}`", op="read", hint=f"the types are {known}")
    return Column(name, NAMES[plain], declared=True)


def decimal(precision: int, scale: int) -> str:
    """The type word of a decimal."""
    return f"decimal({precision},{scale})"


def sql_type(type_name: str) -> str:
    """What DuckDB calls a type."""
    return SQL_TYPES.get(type_name) or type_name.upper()


def judge(column: Column, cell: str) -> Judged:
    """The expressions of `column` over `cell`, an expression of VARCHAR."""
    strict = spelled(column.type, cell)
    return meant(column, cell, strict) if column.declared else strict


def certain(type_name: str, cell: str) -> Judged:
    """For cells of which it is known that they are spelled as values of this type; only text is looked at still."""
    if type_name in ("text", "json"):
        return spelled(type_name, cell)
    return Judged(f"CAST({cell} AS {sql_type(type_name)})", "")


def spelled(type_name: str, cell: str) -> Judged:
    """By the rule above: bad is what would not be written back as it stands."""
    if type_name in ("text", "json", "time"):
        return Judged(cell, f"contains({cell}, chr(0))")
    value = _cast(type_name, cell)
    back = f"CAST({value} AS VARCHAR)"
    differs = f"{back} IS DISTINCT FROM {cell}"
    bare = f"regexp_replace({cell}, '(Z|[+]00:00)$', '')"
    bad = {
        "boolean": f"{cell} NOT IN ('true', 'false', 'True', 'False', 'TRUE', 'FALSE')",
        "double": f"(({differs} AND {back} IS DISTINCT FROM {cell} || '.0') OR NOT isfinite({value}))",
        "date": f"({differs} OR length({cell}) <> 10)",
        "timestamp": f"({differs} AND {_no_clock(value, cell)})",
        "timestamptz": f"({_no_clock(_cast('timestamp', bare), bare)} OR {bare} = {cell})",
    }
    return Judged(value, bad.get(type_name, differs))


def meant(column: Column, cell: str, strict: Judged) -> Judged:
    """By meaning: bad is what the declared type cannot hold exactly."""
    kind = column.type
    if column.form:
        value = f"CAST(try_strptime({cell}, {literal(column.form)}) AS {sql_type(kind)})"
        return Judged(value, f"({cell} IS NOT NULL AND {value} IS NULL)")
    if kind == "boolean":
        word = f"lower({cell})"
        return Judged(f"{word} IN {TRUE}", f"{word} NOT IN {TRUE + FALSE}")
    if kind == "json":
        return Judged(cell, f"(NOT json_valid({cell}) OR {strict.bad})")
    if kind == "text":
        return strict
    value = _cast(kind, cell)
    finite = f" AND isfinite({value})" if kind in ("double", "date", "timestamp", "timestamptz") else ""
    fits = f"coalesce({value} IS NOT NULL{finite} AND regexp_full_match({cell}, {literal(_pattern(kind))}), false)"
    quick = strict.bad if kind != "time" else f"{cell} IS NOT NULL"
    return Judged(value, f"({quick} AND NOT {fits})")


def is_value(text: str, types: Sequence[str]) -> bool:
    """Whether a text would be a value of one of these types, by the rule."""
    numbers = [word for word in types if word != "decimal"]
    fits = " OR ".join(f"NOT coalesce({spelled(word, 'cell').bad}, false)" for word in numbers)
    with closing(cursor()) as connection:
        row = connection.execute(f"SELECT {fits} FROM (SELECT {literal(text)} AS cell)").fetchone()  # noqa: S608
    return bool(row and row[0])


def scale_and_digits(cell: str) -> Sequence[str]:
    """Aggregates that tell which decimal a column is: cells that are none, least and most decimals, most digits."""
    dot = f"instr({cell}, '.')"
    scale = f"CASE WHEN {dot} = 0 THEN 0 ELSE length({cell}) - {dot} END"
    digits = f"length({cell}) - starts_with({cell}, '-')::INT - ({dot} > 0)::INT"
    number = r"0|-?[1-9][0-9]*|-?(0|[1-9][0-9]*)\.[0-9]+"
    negative_zero = f"regexp_full_match({cell}, '-0\\.0+')"
    return (
        f"count(*) FILTER (NOT regexp_full_match({cell}, '{number}') OR {negative_zero})",
        f"min({scale})",
        f"max({scale})",
        f"max({digits})",
    )


def _cast(type_name: str, cell: str) -> str:
    return f"TRY_CAST({cell} AS {sql_type(type_name)})"


def _no_clock(value: str, cell: str) -> str:
    """Whether a cell is no day and time of day without a zone: it is compared in the form that DuckDB writes."""
    spaced = f"replace({cell}, 'T', ' ')"
    same = (
        f"CASE WHEN length({cell}) = 19 THEN {spaced} WHEN length({cell}) = 16 THEN {spaced} || ':00' "
        f"WHEN length({cell}) BETWEEN 21 AND 26 THEN rtrim(rtrim({spaced}, '0'), '.') END"
    )
    written_back = f"coalesce(CAST({value} AS VARCHAR) = {same}, false)"
    return f"({cell} IS NOT NULL AND NOT {written_back})"


def _pattern(kind: str) -> str:
    if kind.startswith("decimal("):
        scale = kind[:-1].partition(",")[2]
        fraction = rf"[0-9]{{0,{scale}}}0*"
        return rf"\s*[+-]?([0-9]+(\.{fraction})?|\.{fraction})\s*"
    return {
        "integer": r"\s*[+-]?[0-9]+(\.0*)?\s*",
        "double": r"\s*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?\s*",
        "date": ISO_DAY,
        "time": ISO_CLOCK,
        "timestamp": f"{ISO_DAY}([ T]{ISO_CLOCK})?",
        "timestamptz": f"{ISO_DAY}[ T]{ISO_CLOCK}(Z|[+-][0-9]{{2}}(:?[0-9]{{2}})?)",
    }[kind]
