"""Small CSV files, read without a database: its start and its queries would take longer than the whole file.

Only what is whole and clean comes here: every record was already seen by the exact reader and has the right number of
cells. What a cell may be is the rule of `data/types.py`, said once more for Python; a law of the tests holds the two
together.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
import math
import re
from typing import TYPE_CHECKING, Any, Final

from reconcile.stores.data.file import Column, arrow_type
from reconcile.stores.data.infer import Found, made_decimal
from reconcile.stores.data.lines import OPENING, Line

if TYPE_CHECKING:
    import pyarrow as pa

INTEGER: Final = re.compile(r"0|-?[1-9][0-9]*")
NUMBER: Final = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?(e[-+][0-9]+)?")
DECIMAL: Final = re.compile(r"0|-?[1-9][0-9]*|-?(0|[1-9][0-9]*)\.[0-9]+")
DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
CLOCK: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[ T](?!24)[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?"  # Python 3.14 reads hour 24
)
ZONE: Final = re.compile(r"(Z|\+00:00)$")
TRUE: Final = ("true", "True", "TRUE")
FALSE: Final = ("false", "False", "FALSE")
MAX_INTEGER: Final = 2**63


class SmallTable:
    """The cells of a small file, by column."""

    def __init__(self, records: Sequence[Line], width: int, nulls: Sequence[str]) -> None:
        self._columns: list[Sequence[str]] = list(zip(*(line.cells for line in records), strict=True)) or [()] * width
        self._marked = [(row, line) for row, line in enumerate(records) if line.starts]
        self._nulls = frozenset(nulls)
        self._known: dict[tuple[int, str], Sequence[Any]] = {}
        self.row_count = len(records)

    def infer(self, candidates: Mapping[int, Sequence[str]]) -> Found:
        """As `infer.infer` finds them."""
        empty = frozenset(i for i in candidates if self._nulls.issuperset(self._columns[i]))
        return Found({i: self._type(i, words) for i, words in candidates.items()}, self.row_count, empty)

    def values(self, columns: Sequence[Column], empty: Collection[str]) -> list[Sequence[Any]] | None:
        """The typed values by column, as Python has them: what `batch` gives, or None where a cell does not fit."""
        found = []
        for i, column in enumerate(columns):
            values = self._values(i, column.type)
            if values is None or (column.name in empty and not self._nulls.issuperset(self._columns[i])):
                return None
            found.append(values)
        return found

    def batch(self, columns: Sequence[Column], empty: Collection[str]) -> pa.RecordBatch:
        """The typed rows; a last column tells the first of its cells that does not fit, by its position.

        Nothing fits into a column that is to be `empty`.
        """
        import pyarrow as pa  # noqa: PLC0415 - heavy

        bad: list[int | None] = [None] * self.row_count
        arrays = [self._array(i, column.type, bad) for i, column in enumerate(columns)]
        for i in (i for i, column in enumerate(columns) if column.name in empty):
            filled = [text not in self._nulls for text in self._columns[i]]
            bad = [i if here and at is None else at for here, at in zip(filled, bad, strict=True)]
        names = [f"v{i}" for i in range(len(columns))]
        return pa.RecordBatch.from_arrays([*arrays, pa.array(bad, pa.int32())], [*names, "bad"])

    def _type(self, position: int, candidates: Sequence[str]) -> str:
        texts = self._columns[position]
        if not self._nulls.isdisjoint(texts):
            texts = [text for text in texts if text not in self._nulls]
        made = (self._made(position, word, texts) for word in candidates)
        return next((word for word in made if word and texts), "text")

    def _made(self, position: int, word: str, texts: Sequence[str]) -> str:
        """The type that a candidate makes of these texts, "" if one does not fit."""
        if word == "decimal":
            scales = {len(text.partition(".")[2]) for text in texts}
            if len(scales) != 1 or not all(_is_decimal(text) for text in texts):
                return ""
            return made_decimal(max(sum(map(str.isdigit, text)) for text in texts), scales.pop())
        values = _read(word, texts)
        if values is not None and len(texts) == self.row_count:
            self._known[position, word] = values
        return word if values is not None else ""

    def _values(self, position: int, type_name: str) -> Sequence[Any] | None:
        """The values of a column, None if one of its cells is of another type."""
        known = self._known.get((position, type_name))
        if known is not None:
            return known
        texts = self._columns[position]
        if self._nulls.isdisjoint(texts):
            return _read(type_name, texts)
        nulls = self._null_rows(position, type_name)
        values = _read(type_name, [text for row, text in enumerate(texts) if row not in nulls])
        left = iter(values or ())
        return None if values is None else [None if row in nulls else next(left) for row in range(self.row_count)]

    def _null_rows(self, position: int, type_name: str) -> set[int]:
        """Where there is nothing; what is quoted is text."""
        nulls = {row for row, text in enumerate(self._columns[position]) if text in self._nulls}
        if type_name == "text":
            nulls -= {row for row, line in self._marked if _is_quoted(line, position)}
        return nulls

    def _array(self, position: int, type_name: str, bad: list[int | None]) -> pa.Array:
        import pyarrow as pa  # noqa: PLC0415 - heavy

        found = self._values(position, type_name)
        if found is not None:
            return pa.array(found, arrow_type(type_name))
        values, nulls = list[Any](), self._null_rows(position, type_name)
        for row, text in enumerate(self._columns[position]):
            one = None if row in nulls else _read(type_name, (text,))
            if one is None and row not in nulls and bad[row] is None:
                bad[row] = position
            values.append(one[0] if one else None)
        return pa.array(values, arrow_type(type_name))


def _is_quoted(line: Line, position: int) -> bool:
    return OPENING.match(line.text, line.starts[position]) is not None


def _read(type_name: str, texts: Sequence[str]) -> Sequence[Any] | None:
    """The values that texts are spelled as, None if one of them is none of this type."""
    read = READERS.get(type_name.partition("(")[0], _text)
    try:
        values = [read(text, type_name) for text in texts]
    except ValueError:
        return None
    return None if None in values else values


def _text(text: str, _: str) -> str | None:
    return None if "\0" in text else text


def _boolean(text: str, _: str) -> bool | None:
    return True if text in TRUE else False if text in FALSE else None


def _integer(text: str, _: str) -> int | None:
    number = int(text) if INTEGER.fullmatch(text) and len(text) <= 20 else MAX_INTEGER
    return number if -MAX_INTEGER <= number < MAX_INTEGER else None


def _double(text: str, _: str) -> float | None:
    number = float(text) if NUMBER.fullmatch(text) else math.nan
    return number if math.isfinite(number) and repr(number) in (text, text + ".0") else None


def _is_decimal(text: str) -> bool:
    return DECIMAL.fullmatch(text) is not None and not re.fullmatch(r"-0\.0+", text)


def _decimal(text: str, type_name: str) -> Decimal | None:
    precision, scale = map(int, type_name[len("decimal(") : -1].split(","))
    whole, _, fraction = text.lstrip("-").partition(".")
    fits = _is_decimal(text) and len(fraction) == scale and len(whole.lstrip("0")) <= precision - scale
    return Decimal(text) if fits else None


def _date(text: str, _: str) -> date | None:
    return date.fromisoformat(text) if DAY.fullmatch(text) else None


def _timestamp(text: str, _: str) -> datetime | None:
    if not CLOCK.fullmatch(text):
        return None
    whole, dot, fraction = text.partition(".")
    return datetime.fromisoformat(whole + dot + fraction.ljust(6, "0") if dot else whole)


def _timestamptz(text: str, _: str) -> datetime | None:
    bare = ZONE.sub("", text)
    moment = None if bare == text else _timestamp(bare, "")
    return moment and moment.replace(tzinfo=UTC)


READERS: Final[dict[str, Callable[[str, str], Any]]] = {
    "boolean": _boolean,
    "integer": _integer,
    "double": _double,
    "decimal": _decimal,
    "date": _date,
    "timestamp": _timestamp,
    "timestamptz": _timestamptz,
}
