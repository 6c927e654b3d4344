"""Helps the tests of data files: writes bytes, reads them back, whole."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

from reconcile.stores.data import sniff as data_sniff
from reconcile.stores.data.file import Grown, Reading, Reject, Shape, ShapeError
from reconcile.stores.data.reading import read_data


class Table(NamedTuple):
    """All that a file gave."""

    columns: dict[str, str]
    rows: list[tuple[Any, ...]]
    rejects: tuple[Reject, ...]
    shape: Shape
    notes: tuple[str, ...]


def read(path, data: bytes | None, name: str = "x.csv", *, pinned=None, grown: Grown | None = None, **asked) -> Table:
    """Reads `data`, written to the file at `path` (None: what is there)."""
    if data is not None:
        path.write_bytes(data)
    if _early:
        with suppress(ShapeError):
            return _read(path, name, Reading(**asked), {"pinned": pinned, "grown": grown, "early": True})
    return _read(path, name, Reading(**asked), {"pinned": pinned, "grown": grown})


def _read(path, name: str, asked: Reading, how: dict[str, Any]) -> Table:
    with read_data(str(path), name, asked, **how) as file:
        values = file.values()
        counted = file.row_count
        reader = file.batches()
        assert reader.schema.names == [column.name for column in file.shape.columns]
        table = reader.read_all()
        assert file.row_count == table.num_rows
        rows = list(zip(*(column.to_pylist() for column in table.columns), strict=True))
        if values is not None:
            assert counted == table.num_rows
            assert _with_types(zip(*values, strict=True)) == _with_types(rows)
        columns = {column.name: column.type for column in file.shape.columns}
        return Table(columns, rows, file.rejects, file.shape, file.notes)


_early: list[bool] = []


@contextmanager
def as_early() -> Iterator[None]:
    """So is every large file, and its rows are given in the first pass, as far as that goes well."""
    _early.append(True)
    try:
        with as_large():
            yield
    finally:
        _early.pop()


def _with_types(rows: Iterable[tuple[Any, ...]]) -> list[list[tuple[Any, type]]]:
    return [[(cell, type(cell)) for cell in row] for row in rows]


@contextmanager
def as_large() -> Iterator[None]:
    """Every file is read as one that does not fit into a sample."""
    usual = data_sniff.SAMPLE_RECORDS
    data_sniff.SAMPLE_RECORDS = 2
    try:
        yield
    finally:
        data_sniff.SAMPLE_RECORDS = usual
