"""Many rows into SQLite by way of a private file: the same rows as one by one, and nothing left of the way."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
import math
import sqlite3

import pyarrow as pa
import pytest

from reconcile.core.errors import StoreError
from reconcile.stores.tables import sqlite_bulk
from reconcile.stores.tables.engine import RESERVED
from reconcile.stores.tables.sqlite import SqliteEngine
from reconcile.stores.tables.sqlite_bulk import MARK, MOST_PARTS, SUFFIX

BULK_ROWS = 1_000
"""Here it pays from so few rows on."""

DDL = "i BIGINT, t TEXT, m DECIMAL(15,2), x FLOAT, b BOOLEAN, d DATE, h TIME, s TIMESTAMP, z TIMESTAMPTZ, o BLOB"
MOMENT = dt.datetime(2024, 2, 29, 23, 59, 59, 120_000)  # noqa: DTZ001 - a column without a zone
ROW = {
    "i": [None, -(2**63), 2**63 - 1],
    "t": ["", None, 'é"\U0001f600'],
    "m": [Decimal("12.50"), Decimal("-0.01"), None],
    "x": [0.1, -0.0, 1e300],
    "b": [True, False, None],
    "d": [dt.date(1, 1, 1), None, dt.date(9999, 12, 31)],
    "h": [dt.time(1, 2, 3), dt.time(1, 2, 3, 4), None],
    "s": [MOMENT, MOMENT.replace(microsecond=0), None],
    "z": [MOMENT.replace(tzinfo=dt.UTC), None, MOMENT.replace(tzinfo=dt.UTC)],
    "o": [b"\0\xff", b"", None],
}
SCHEMA = pa.schema(
    [
        ("i", pa.int64()),
        ("t", pa.string()),
        ("m", pa.decimal128(15, 2)),
        ("x", pa.float64()),
        ("b", pa.bool_()),
        ("d", pa.date32()),
        ("h", pa.time64("us")),
        ("s", pa.timestamp("us")),
        ("z", pa.timestamp("us", "UTC")),
        ("o", pa.binary()),
    ]
)


def batches(numbers=(0.5,)):
    """One batch for each of the numbers, which stands in it once."""
    times = BULK_ROWS // 3 + 1
    whole = pa.table({name: values * times for name, values in ROW.items()}, schema=SCHEMA).combine_chunks()
    for number in numbers:
        values = [number, *(ROW["x"] * times)[1:]]
        yield whole.set_column(3, "x", pa.array(values, pa.float64())).to_batches()[0]


def left_behind(path):
    """What a load leaves that is killed while it fills its file."""
    with sqlite3.connect(path) as client:
        client.execute(f"PRAGMA application_id = {MARK}")
        client.execute("CREATE TABLE half (x)")
    client.close()


def filled(path, reader, *, encoding="UTF-8"):
    """The rows of a table that was filled from a reader."""
    with sqlite3.connect(path) as client:
        client.execute(f"PRAGMA encoding = '{encoding}'")
        client.execute(f"CREATE TABLE t ({DDL})")
    client.close()
    engine = SqliteEngine(str(path))
    with engine.session(write=True) as session:
        session.fill("t", reader)
    with engine.session(write=False) as session:
        rows = session.run("SELECT *, typeof(i), typeof(m), typeof(x), typeof(b), typeof(s), typeof(o) FROM t")
        assert session.run("PRAGMA integrity_check") == [("ok",)]
        assert not any(name.startswith(RESERVED) for _, name, _ in session.run("PRAGMA database_list"))
    engine.close()
    return rows


@pytest.fixture(autouse=True)
def _with_few_rows(monkeypatch):
    monkeypatch.setattr(sqlite_bulk, "BULK_ROWS", BULK_ROWS)


@pytest.fixture(params=[1, 1 << 40], ids=["in-parts", "at-once"])
def part_bytes(request, monkeypatch):
    """How much goes into the first of the private files: one batch, or all."""
    monkeypatch.setattr(sqlite_bulk, "PART_BYTES", request.param)
    return request.param


@pytest.mark.parametrize("encoding", ["UTF-8", "UTF-16le"])
def test_rows_are_the_same_whichever_way_they_come(tmp_path, encoding, part_bytes):
    left_behind(tmp_path / f"many.db{SUFFIX}")
    numbers = (0.5, math.nan, 2.5)
    some = [batch.slice(0, BULK_ROWS - 1) for batch in batches(numbers)]
    rest = [batch.slice(BULK_ROWS - 1) for batch in batches(numbers)]
    one_by_one = [part for pair in zip(some, rest, strict=True) for part in pair]
    few = filled(tmp_path / "few.db", pa.RecordBatchReader.from_batches(SCHEMA, one_by_one))
    many = filled(tmp_path / "many.db", pa.RecordBatchReader.from_batches(SCHEMA, batches(numbers)), encoding=encoding)
    assert many == few
    assert len(many) == len(numbers) * (BULK_ROWS // 3 + 1) * 3
    assert sum(row[3] == "NaN" for row in many) == 1
    assert not (tmp_path / f"many.db{SUFFIX}").exists()


@pytest.mark.parametrize("rows", [3, BULK_ROWS])
def test_a_decimal_is_the_nearest_number_there_is(tmp_path, rows):
    """SQLite reads the text `610750417.377572` as the double beside that, or not, by its version."""
    values = [Decimal("610750417.377572"), Decimal("-999999999.999999"), None, Decimal("12.000000")]
    meant = [610750417.377572, -999999999.999999, None, 12]
    engine = SqliteEngine(str(tmp_path / "t.db"))
    engine.ensure(dry=False)
    column = pa.array((values * (rows // 4 + 1))[:rows], pa.decimal128(15, 6))
    with engine.session(write=True) as session:
        session.run("CREATE TABLE t (m DECIMAL(15,6))")
        session.fill("t", pa.table({"m": column}).to_reader())
        found = [value for (value,) in session.run("SELECT m FROM t")]
        assert found == (meant * (rows // 4 + 1))[:rows]
        assert {kind for (kind,) in session.run("SELECT DISTINCT typeof(m) FROM t")} >= {"real", "null"}
        assert rows < 4 or session.run("SELECT DISTINCT typeof(m) FROM t WHERE m = 12") == [("integer",)]
    engine.close()


@pytest.fixture
def written(monkeypatch):
    """The private files that were written, by what is in the way of the next: nothing, as long as it is empty."""
    real, files, in_the_way = sqlite_bulk._write, [], []

    def counted(path, beginning, part):
        real(path, beginning, part)
        files.append(path.stat().st_size)

    def made(path, real=sqlite_bulk._made):
        return not (files and in_the_way) and real(path)

    monkeypatch.setattr(sqlite_bulk, "_write", counted)
    monkeypatch.setattr(sqlite_bulk, "_made", made)
    return files, in_the_way


@pytest.mark.parametrize("parts", [2, 9])
def test_a_large_table_comes_in_parts_and_in_order(tmp_path, monkeypatch, written, parts):
    monkeypatch.setattr(sqlite_bulk, "PART_BYTES", 1)
    numbers = [0.5 + part for part in range(parts)]
    rows = filled(tmp_path / "t.db", pa.RecordBatchReader.from_batches(SCHEMA, batches(numbers)))
    assert [row[3] for row in rows[:: (BULK_ROWS // 3 + 1) * 3]] == numbers
    assert len(written[0]) == min(parts, MOST_PARTS)
    assert not (tmp_path / f"t.db{SUFFIX}").exists()


def test_where_there_is_no_room_for_the_next_part_its_rows_are_bound(tmp_path, monkeypatch, written):
    monkeypatch.setattr(sqlite_bulk, "PART_BYTES", 1)
    files, in_the_way = written
    in_the_way.append("somebody")
    numbers = [0.5, 1.5, 2.5]
    rows = filled(tmp_path / "t.db", pa.RecordBatchReader.from_batches(SCHEMA, batches(numbers)))
    assert [row[3] for row in rows[:: (BULK_ROWS // 3 + 1) * 3]] == numbers
    assert len(files) == 1


def test_a_table_that_does_not_take_the_rows_ends_the_next_part(tmp_path, monkeypatch, written):
    """As a disk that is full does: nothing is left beside the database."""
    monkeypatch.setattr(sqlite_bulk, "PART_BYTES", 1)
    real = sqlite_bulk.Bulk._attach

    def attached(bulk, path):
        return f"not_{real(bulk, path)}"

    monkeypatch.setattr(sqlite_bulk.Bulk, "_attach", attached)
    with pytest.raises(StoreError, match="not__reconcile_bulk0"):
        filled(tmp_path / "t.db", pa.RecordBatchReader.from_batches(SCHEMA, batches([0.5, 1.5, 2.5])))
    assert len(written[0]) <= 2
    assert not (tmp_path / f"t.db{SUFFIX}").exists()
    assert sqlite3.connect(tmp_path / "t.db").execute("SELECT count(*) FROM t").fetchone() == (0,)


def test_a_stream_that_breaks_leaves_the_table_as_it_was(tmp_path, part_bytes):
    def breaking():
        yield from batches([0.5, 1.5])
        raise OSError("the source is gone")

    path = tmp_path / "t.db"
    with pytest.raises(StoreError, match="the source is gone"):
        filled(path, pa.RecordBatchReader.from_batches(SCHEMA, breaking()))
    assert sqlite3.connect(path).execute("SELECT count(*) FROM t").fetchone() == (0,)
    assert not (tmp_path / f"t.db{SUFFIX}").exists(), "a disk that was full stays full"


@pytest.mark.parametrize("whose", ["a text", "a database", "a link", "a directory"])
def test_what_somebody_else_called_so_is_not_taken_away(tmp_path, whose):
    theirs, other = tmp_path / f"t.db{SUFFIX}", tmp_path / "other"
    other.write_bytes(b"theirs")
    if whose == "a text":
        theirs.write_bytes(b"theirs")
    elif whose == "a database":
        with sqlite3.connect(theirs) as client:
            client.execute("CREATE TABLE theirs (x)")
        client.close()
    elif whose == "a link":
        theirs.symlink_to(other)
    else:
        theirs.mkdir()
    was = theirs.lstat()
    rows = filled(tmp_path / "t.db", pa.RecordBatchReader.from_batches(SCHEMA, batches()))
    assert len(rows) == (BULK_ROWS // 3 + 1) * 3
    assert (theirs.lstat().st_ino, theirs.lstat().st_size) == (was.st_ino, was.st_size)
    assert other.read_bytes() == b"theirs"
