"""The rows of JSON: a line each, or the elements of one array. Numbers are kept as they are written.

DuckDB and most readers make doubles of all numbers with a point; here each cell stays the text it is in the file until
its column has a type that holds it. An object is decoded one level deep; what lies below stays JSON.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import islice
import json
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import Raw

from reconcile.stores.data.engine import cursor, failures, literal, told
from reconcile.stores.data.file import DataError, Dialect, Format, Reading, Reject, Shape, ShapeError
from reconcile.stores.data.lines import Line
from reconcile.stores.data.names import column_names
from reconcile.stores.data.plain import Plain
from reconcile.stores.data.relation import MAX_REJECTS, Cell, Opened, shown
from reconcile.stores.data.types import declared

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

NUMBER_TYPES: Final = ("integer", "double", "decimal")
BATCH_OBJECTS: Final = 1 << 13
NUMBER: Final = "number"
KINDS: Final = {ord('"'): "text", ord("t"): "boolean", ord("f"): "boolean", ord("{"): "json", ord("["): "json"}
NULL: Final = b"null"

Object = dict[str, Raw]
_decode_object: Final = msgspec.json.Decoder(Object).decode
_decode_text: Final = msgspec.json.Decoder(str).decode


class JsonRelation:
    """A JSON file as a relation of texts. A column holds one kind of values: text, boolean, number; or json.

    In an array the number of a `Line` is that of its element.
    """

    def __init__(self, plain: Plain, found: Format, name: str, *, quarantine: bool) -> None:
        self.name = name
        self.rejects: list[Reject] = []
        self.row_count: int | None = None
        self._plain = plain
        self._format = found
        self._quarantine = quarantine
        self._failure: DataError | None = None
        self._kinds: dict[str, set[str]] = {}
        self._raw: set[str] = set()
        for _, members in self._objects():
            for key, value in members.items():
                self._kinds.setdefault(key, set()).add(_kind(value))
        self._keys = tuple(self._kinds)

    @property
    def names(self) -> tuple[str, ...]:
        """The columns of the table, one for each key, in order of their first appearance."""
        return column_names(self._keys)

    def arrange(self, names: Sequence[str], raw: Sequence[str]) -> None:
        """Gives the columns another order, with more that no object here has; those of `raw` keep their JSON."""
        keys = dict(zip(self.names, self._keys, strict=True))
        self._keys = tuple(keys.get(name, name) for name in names)
        self._raw = {keys.get(name, name) for name in raw}

    @property
    def cells(self) -> list[Cell]:
        """Columns of which JSON tells the type, but for numbers."""
        kinds = enumerate(map(self.kind, range(len(self._keys))))
        types = {NUMBER: "", "": "text"}
        return [Cell(f"c{i}", f"c{i}", types.get(kind, kind), empty=not kind) for i, kind in kinds]

    def kind(self, position: int) -> str:
        """What a column holds, "" if there is nothing in it."""
        kinds = self._kinds.get(self._keys[position], set()) - {"null"}
        return "json" if len(kinds) > 1 else next(iter(kinds), "")

    def mixed(self) -> list[str]:
        """The columns that hold texts and other values."""
        kinds = [self._kinds.get(key, set()) - {"null"} for key in self._keys]
        return [name for name, some in zip(self.names, kinds, strict=True) if {"text"} < some]

    def source(self, connection: duckdb.DuckDBPyConnection, *, strict: bool = False) -> str:  # noqa: ARG002 - of the port
        """What stands behind FROM; JSON is always read strictly."""
        import pyarrow as pa  # noqa: PLC0415 - heavy

        schema = pa.schema([(f"c{i}", pa.string()) for i in range(len(self._keys))])
        connection.register("objects", pa.RecordBatchReader.from_batches(schema, self._batches(schema)))
        return "objects"

    def mend(self) -> bool:
        """Raises what ended the stream, if it was ours."""
        if self._failure is not None:
            raise self._failure
        return False

    def proof(self) -> None:
        """None is needed: what is no row is found while they are read."""

    def find(self, wanted: Sequence[int]) -> Iterator[Line]:
        """The records of rows."""
        left = set(wanted)
        for row, (line, members) in enumerate(self._objects()):
            if row in left:
                cells = [self._text(key, members.get(key)) or "" for key in self._keys]
                yield line._replace(cells=cells, starts=[0] * len(cells))

    def close(self) -> None:
        """Closes the file."""
        self._plain.close()

    def _batches(self, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa  # noqa: PLC0415 - heavy

        objects = self._objects()
        try:
            while chunk := list(islice(objects, BATCH_OBJECTS)):
                columns = [[self._text(key, members.get(key)) for _, members in chunk] for key in self._keys]
                yield pa.RecordBatch.from_arrays([pa.array(column, pa.string()) for column in columns], schema=schema)
        except DataError as error:
            self._failure = error
            raise

    def _text(self, key: str, value: Raw | None) -> str | None:
        """What a column keeps of a value: the text of a string, the JSON of anything else."""
        data = NULL if value is None else bytes(value)
        if data == NULL:
            return None
        return _decode_text(data) if data.startswith(b'"') and key not in self._raw else data.decode()

    def _objects(self) -> Iterator[tuple[Line, Object]]:
        """The objects, one by one; a record that is none is raised or put aside."""
        self.rejects, self._failure = [], None
        for line, data in self._lines() if self._format == "jsonl" else self._elements():
            try:
                data.decode()
                members = _decode_object(data)
                if not _plainly_unique(members, data):
                    json.loads(data, object_pairs_hook=_unique)
            except (msgspec.DecodeError, ValueError, RecursionError) as error:
                self._put_aside(line, str(error))
            else:
                yield line, members

    def _put_aside(self, line: Line, reason: str) -> None:
        if not self._quarantine or len(self.rejects) >= MAX_REJECTS:
            hint = "fix it, or on_bad_rows: quarantine"
            raise DataError(reason, op="read", path=f"{self.name}:{line.number}", hint=hint)
        self.rejects.append(Reject(line.number, "", reason, shown(line.text)))

    def _lines(self) -> Iterator[tuple[Line, bytes]]:
        self._plain.file.seek(0)
        for number, data in enumerate(self._plain.file, self._plain.first_line):
            bare = (data.removeprefix(b"\xef\xbb\xbf") if number == 1 else data).strip()
            if bare:
                yield Line(number, bare.decode("utf-8", "replace"), []), bare

    def _elements(self) -> Iterator[tuple[Line, bytes]]:
        """The elements of an array, or objects one after the other."""
        start = self._plain.head().removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
        shape = "array" if start == b"[" else "unstructured"
        if shape == "array" and not self._plain.ends_with(b"]"):  # cut behind a comma it would be believed
            raise DataError("the array is not closed", op="read", path=self.name, hint="is it whole?")
        query = f"SELECT json FROM read_json_objects({literal(self._plain.path)}, format = '{shape}')"  # noqa: S608
        with closing(cursor()) as connection:
            try:
                rows = connection.execute(query)
                texts = (text for chunk in iter(lambda: rows.fetchmany(BATCH_OBJECTS), []) for (text,) in chunk)
                for number, text in enumerate(texts, 1):
                    yield Line(number, text, []), text.encode()
            except failures() as error:
                reason = told(error, self.name)
                raise DataError(reason, op="read", path=self.name, hint="it should be one array of objects") from error


def _kind(value: Raw) -> str:
    first = memoryview(value)[0]
    return "null" if first == NULL[0] else KINDS.get(first, NUMBER)


def _plainly_unique(members: Object, data: bytes) -> bool:
    """Whether the members take up all of `data`, written as most programs do: then no key stands there twice."""
    inside = sum(len(msgspec.json.encode(key)) + len(bytes(value)) + 1 for key, value in members.items())
    commas = max(0, len(members) - 1)
    return len(data) in (inside + commas + 2, inside + 2 * commas + len(members) + 2)


def _unique(pairs: list[tuple[str, Any]]) -> None:
    keys = [key for key, _ in pairs]
    for key in keys:
        if keys.count(key) > 1:
            raise ValueError(f"the key {key!r} stands there twice")


def open_json(plain: Plain, found: Format, name: str, reading: Reading, pinned: Shape | None) -> Opened:
    """Opens a file of JSON objects. Pinned columns that are in none of them are nulls."""
    relation = JsonRelation(plain, found, name, quarantine=reading.on_bad_rows == "quarantine")
    types = {column: relation.kind(position) for position, column in enumerate(relation.names)}
    names = relation.names
    if pinned is not None:
        known = {column.name: column.type for column in pinned.columns if not column.declared}
        if any(not _holds(known[column], kind) for column, kind in types.items() if column in known and kind):
            raise ShapeError("the values are of other kinds than before", op="read", path=name)
        names = pinned.dialect.names if set(names) <= set(pinned.dialect.names) else names
        types |= known
    types |= {column: declared(column, words).type for column, words in reading.types.items()}
    relation.arrange(names, [column for column in names if types.get(column) == "json"])
    dialect = Dialect(format=found, compression=plain.compression, encoding=plain.encoding, names=names)
    notes = [f"the text is {plain.encoding}"] if plain.encoding != "utf-8" else []
    mixed = [column for column in relation.mixed() if column not in reading.types]
    if mixed:
        told = f"{mixed[0]}{f' and {len(mixed) - 1:,} more' * (len(mixed) > 1)}"
        notes.append(f"values of several kinds are kept as they stand in the file, texts with their quotes: {told}")
    return Opened(relation, dialect, tuple(notes), candidates=lambda _: NUMBER_TYPES, otherwise="json")


def _holds(type_name: str, kind: str) -> bool:
    """Whether a column of that type was made of values of this kind."""
    return type_name in ("json", kind) or (kind == NUMBER and type_name.startswith(NUMBER_TYPES))
