"""JSON, Parquet and compressed files: their own kinds of types and of damage."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal
import gzip
import json

from hypothesis import given
from hypothesis import strategies as st
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from reconcile.core.errors import NotFoundError
from reconcile.stores.data.file import DataError
from tests.stores.data_kit import as_large, read


@pytest.fixture
def path(tmp_path):
    return tmp_path / "data"


def zstd(data: bytes) -> bytes:
    packed = pa.BufferOutputStream()
    with pa.CompressedOutputStream(packed, "zstd") as stream:
        stream.write(data)
    return packed.getvalue().to_pybytes()


def parquet(table: pa.Table) -> bytes:
    written = pa.BufferOutputStream()
    pq.write_table(table, written)
    return written.getvalue().to_pybytes()


LINES = b"""{"i": 1, "s": "007", "m": 1.50, "o": {"x": [1, 2.50]}, "b": true, "n": null, "big": 12345678901234567890}
{"s":"x","i":-2,"m":2.25,"b":false,"mix":"a","d":"2024-01-01","f":0.1}

{"mix":7,"f":3}
"""


def test_json_numbers_are_what_is_written(path):
    table = read(path, LINES, "x.jsonl")
    assert table.columns == {
        "i": "integer", "s": "text", "m": "decimal(15,2)", "o": "json", "b": "boolean", "n": "text",
        "big": "decimal(38,0)", "mix": "json", "d": "text", "f": "double",
    }  # fmt: skip
    big = Decimal(12345678901234567890)
    assert table.rows == [
        (1, "007", Decimal("1.50"), '{"x": [1, 2.50]}', True, None, big, None, None, None),
        (-2, "x", Decimal("2.25"), None, False, None, None, '"a"', "2024-01-01", 0.1),
        (None, None, None, None, None, None, None, "7", None, 3.0),
    ]
    declared = read(path, None, "x.NDJSON", types={"d": "date", "mix": "text", "i": "json", "n": "int"})
    assert [row[i] for row in declared.rows for i in (0, 7, 8)] == [
        "1",
        None,
        None,
        "-2",
        "a",
        date(2024, 1, 1),
        None,
        "7",
        None,
    ]


@pytest.mark.parametrize(
    "data", [b'[{"a":1},\n {"a":2,"b":"x"}]', b'{"a":1}\n{"a":2,"b":"x"}', b'{"a": 1}{"a": 2,\n "b": "x"}']
)
def test_json_is_an_array_or_objects(path, data):
    assert read(path, data, "x.json").rows == [(1, None), (2, "x")]
    assert read(path, b"\xef\xbb\xbf" + data, "x.json").rows == [(1, None), (2, "x")]
    assert read(path, data.decode().encode("utf-16"), "x.json").rows == [(1, None), (2, "x")]


@pytest.mark.parametrize("name", ["x.json", "x.jsonl"])
def test_nothing_in_json_is_no_table(path, name):
    assert read(path, b"", name).columns == {}
    assert read(path, b"\n\n", name).columns == {}


@pytest.mark.hazard("Q01")
@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b'{"a":1}\n{"a":\n', "x.jsonl:2: "),
        (b'{"a":1}\n\n[1]\n', "x.jsonl:3: "),
        (b'{"a":1}\n{"a":2,"b":3,"a":4}\n', "x.jsonl:2: the key 'a' stands there twice"),
        (b'{"a": 1, "a": 2}\n', "x.jsonl:1: the key 'a' stands there twice"),
        (b'{"a":"\xff"}\n', "x.jsonl:1: 'utf-8' codec"),
        (b'{"a":NaN}\n', "x.jsonl:1: "),
        (b'{"a":"x\\u0000y"}\n', "x.jsonl:1:1: column `a` holds a NUL"),
        (b'{"a":' + b"[" * 100_000 + b"\n", "x.jsonl:1: "),
    ],
)
def test_a_line_that_is_no_object_is_named(path, data, said):
    with pytest.raises(DataError) as caught:
        read(path, data, "x.jsonl")
    assert str(caught.value).startswith(f"read {said}")
    table = read(path, data + b'{"z":5}\n', "x.jsonl", on_bad_rows="quarantine")
    assert table.rows[-1][-1] == 5
    assert len(table.rejects) == 1


@pytest.mark.hazard("Q01")
@pytest.mark.parametrize("cut", [b'[{"a":1},\n{"a":2}', b'[{"a":1},', b'[{"a":1},\n', b'[{"a":[1]', b"["])
def test_an_array_that_is_cut_short_is_refused(path, cut):
    """Behind a comma the engine takes it for whole: a table would lose rows."""
    with pytest.raises(DataError, match=r"is not closed|Malformed JSON") as caught:
        read(path, cut, "x.json")
    assert "/proc/" not in str(caught.value)


def test_what_is_wrong_is_told_of_the_file_and_not_of_its_handle(path):
    whole = parquet(pa.table({"a": list(range(1_000))}))
    for data in (whole[:-10], whole[:60] + bytes(200) + whole[260:]):
        with pytest.raises(DataError) as caught:
            read(path, data, "x.parquet")
        assert "/proc/" not in str(caught.value)


JSON = st.dictionaries(
    st.sampled_from(["a", "b", 'c"', "é"]),
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.lists(st.integers()),
    min_size=1,
)


@given(st.lists(JSON, min_size=1, max_size=5), st.booleans())
def test_every_json_value_comes_back(tmp_path_factory, objects, spaced):
    path = tmp_path_factory.getbasetemp() / "law"
    separators = (", ", ": ") if spaced else (",", ":")
    data = "\n".join(json.dumps(one, separators=separators, ensure_ascii=spaced) for one in objects)
    if "\\u0000" in data or "\\ud" in data:
        return
    table = read(path, data.encode(), "x.jsonl")
    for row, one in zip(table.rows, objects, strict=True):
        for (name, kind), value in zip(table.columns.items(), row, strict=True):
            back = json.loads(value) if kind == "json" and value is not None else value
            assert back == one.get(name)


TABLE = {
    "i": (pa.array([1, None], pa.int8()), "integer", [1, None]),
    "u": (pa.array([2**64 - 1, 0], pa.uint64()), "decimal(20,0)", [Decimal(2**64 - 1), Decimal(0)]),
    "f": (pa.array([0.5, None], pa.float32()), "double", [0.5, None]),
    "dec": (pa.array([Decimal("1.50"), None]), "decimal(3,2)", [Decimal("1.50"), None]),
    "ns": (
        pa.array([1, 2000], pa.timestamp("ns")),
        "text",
        ["1970-01-01 00:00:00.000000001", "1970-01-01 00:00:00.000002"],
    ),
    "us": (
        pa.array([1000, None], pa.timestamp("ns")),
        "timestamp",
        [datetime.fromisoformat("1970-01-01 00:00:00.000001"), None],
    ),
    "tz": (
        pa.array([1, None], pa.timestamp("ms", "UTC")),
        "timestamptz",
        [datetime(1970, 1, 1, 0, 0, 0, 1000, UTC), None],
    ),
    "day": (pa.array([date(2024, 2, 29), None]), "date", [date(2024, 2, 29), None]),
    "clock": (pa.array([time(1, 2, 3, 4), None]), "time", [time(1, 2, 3, 4), None]),
    "flag": (pa.array([True, None]), "boolean", [True, None]),
    "blob": (pa.array([b"\0\xff", None]), "blob", [b"\0\xff", None]),
    "text": (pa.array(["007", None]), "text", ["007", None]),
    "enum": (pa.array(["x", None]).dictionary_encode(), "text", ["x", None]),
    "struct": (pa.array([{"a": 1.5}, None]), "json", ['{"a":1.5}', None]),
    "list": (pa.array([[1, 2], None]), "json", ["[1,2]", None]),
}


def test_parquet_keeps_its_types_where_a_table_has_them(path):
    table = read(path, parquet(pa.table({name: column for name, (column, _, _) in TABLE.items()})), "x.parquet")
    assert table.columns == {name: kind for name, (_, kind, _) in TABLE.items()}
    assert [list(column) for column in zip(*table.rows, strict=True)] == [values for _, _, values in TABLE.values()]


def test_parquet_that_is_damaged_or_does_not_fit(path):
    data = parquet(pa.table({"a": ["1", "x"], "b": ["y", "y\0"]}))
    with pytest.raises(DataError, match=r"x\.parquet: .*magic bytes"):
        read(path, data[:-10], "x.parquet")
    with pytest.raises(DataError, match=r'x\.parquet:2:1: column `a` is INTEGER, found "x"'):
        read(path, data, "x.parquet", types={"a": "int"})
    with pytest.raises(DataError, match=r"x\.parquet:2:1: column `b` holds a NUL"):
        read(path, data, "x.parquet")
    assert read(path, data, "x.parquet", types={"a": "int"}, on_bad_rows="quarantine").rows == [(1, "y")]


@pytest.mark.parametrize("pack", [gzip.compress, zstd, lambda data: gzip.compress(data[:9]) + gzip.compress(data[9:])])
def test_compressed_files_are_read_and_a_cut_one_is_refused(path, pack):
    data = b"a,b\n" + b"1,x\n" * 1000
    packed = pack(data)
    for large in (False, True):
        if large:
            with as_large():
                table = read(path, packed, "x.csv.gz")
        else:
            table = read(path, packed, "x.csv.zst")
        assert (table.rows, table.columns) == ([(1, "x")] * 1000, {"a": "integer", "b": "text"})
    for cut in (packed[:-3], packed[: len(packed) // 2]):
        with pytest.raises(DataError, match="cannot be unpacked"):
            read(path, cut, "x.csv.gz")


@pytest.mark.parametrize("suffix", [".gz", ".ZST"])
@pytest.mark.parametrize("data", [b"", b"\x00\x7fjunk", b"a,b\n1,2\n", b"\x1f"])
def test_what_is_not_packed_is_not_believed_to_be(path, data, suffix):
    """An interrupted download, or one that somebody unpacked on the way, would be a table with other rows, or none."""
    with pytest.raises(DataError, match=f"its name ends in {suffix}, its bytes are not packed"):
        read(path, data, "x.csv" + suffix)


def test_a_flipped_bit_in_gzip_is_seen(path):
    packed = bytearray(gzip.compress(b"a,b\n" + b"1,x\n" * 1000))
    packed[-6] ^= 1
    with pytest.raises(DataError, match="cannot be unpacked"):
        read(path, bytes(packed), "x.csv.gz")


def test_packed_parquet_and_json(path):
    assert read(path, gzip.compress(parquet(pa.table({"a": [1]}))), "x.parquet.gz").rows == [(1,)]
    assert read(path, zstd(b'{"a":1}\n'), "x.jsonl.zst").rows == [(1,)]


def test_the_name_or_the_spec_tells_the_format(path):
    with pytest.raises(DataError, match="does not tell the format") as caught:
        read(path, b"a\n1\n", "x.txt")
    assert "table.format" in caught.value.hint
    assert read(path, b"a\n1\n", "x.txt", format="csv").rows == [(1,)]
    with pytest.raises(NotFoundError):
        read(path.with_name("gone"), None)


@pytest.mark.parametrize(
    ("words", "cells", "values"),
    [
        ("bigint", ["007", "+1", " 2 ", "3.0"], [7, 1, 2, 3]),
        (
            "numeric(10, 2)",
            ["1", ".5", "-1.500", "+2.25"],
            [Decimal("1.00"), Decimal("0.50"), Decimal("-1.50"), Decimal("2.25")],
        ),
        ("double precision", ["1e5", "0.10000000000000000001"], [1e5, 0.1]),
        ("date(%d/%m/%Y)", ["31/12/2024"], [date(2024, 12, 31)]),
        ("timestamp(%d.%m.%Y %H:%M)", ["31.12.2024 23:59"], [datetime.fromisoformat("2024-12-31 23:59")]),
        (
            "timestamp",
            ["2024-01-01", "2024-01-01T10:00"],
            [datetime.fromisoformat("2024-01-01"), datetime.fromisoformat("2024-01-01 10:00")],
        ),
        ("timestamp with time zone", ["2024-01-01T10:00:00+02:00"], [datetime(2024, 1, 1, 8, tzinfo=UTC)]),
        ("time", ["10:00"], [time(10)]),
        ("bool", ["yes", "OFF", "1", "F"], [True, False, True, False]),
        ("jsonb", ['"{}"', "[1]"], ["{}", "[1]"]),
        ("TEXT", ["1"], ["1"]),
    ],
)
def test_a_declared_type_takes_a_cell_for_what_it_means(path, words, cells, values):
    data = "\n".join(["a,b", *(f"{cell},x" for cell in cells)]).encode()
    assert [row[0] for row in read(path, data, types={"a": words}).rows] == values


UNFIT = {
    "int": ["1.5", "1e3", "1_000", "9223372036854775808"],
    "numeric(10,2)": ["1.005", "12a"],
    "numeric(3,2)": ["10.00"],
    "double": ["nan", "1e999"],
    "date": ["01/02/2024", "2024-01-01 10:00:00", "infinity"],
    "date(%d/%m/%Y)": ["2024-01-01"],
    "timestamp": ["2024-01-01 10:00:00Z", "2024-01-01 10:00:00.1234567"],
    "timestamptz": ["2024-01-01 10:00:00"],
    "time": ["25:00"],
    "bool": ["2"],
    "json": ["{"],
}


@pytest.mark.parametrize("words", UNFIT)
@pytest.mark.hazard("Q02")
def test_a_declared_type_holds_a_value_exactly_or_the_row_is_bad(path, words):
    for cell in UNFIT[words]:
        with pytest.raises(DataError, match=r"x\.csv:2:1: column `a` is [A-Z0-9(,)]+, found "):
            read(path, f"a,b\n{cell},x\n".encode(), types={"a": words})


def test_a_type_nobody_knows(path):
    for words in ("varchar(20)", "numeric", "numeric(50,2)", "numeric(2,3)", "blob", "money"):
        with pytest.raises(DataError, match="is declared as") as caught:
            read(path, b"a\n1\n", types={"a": words})
        assert "decimal(p,s)" in caught.value.hint


def test_texts_among_other_values_are_told(path):
    data = b'[{"zip": "0070", "n": 1, "t": "x"}, {"zip": 1200, "n": 2.5, "t": null}]'
    table = read(path, data, "x.json")
    assert table.rows == [('"0070"', 1.0, "x"), ("1200", 2.5, None)]
    assert table.notes == ("values of several kinds are kept as they stand in the file, texts with their quotes: zip",)
    assert read(path, None, "x.json", types={"zip": "text"}).notes == ()
