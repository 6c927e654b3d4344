"""Tables of CSV files: bytes, and the columns and rows they are, or what is said of them and where."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import date, datetime
from decimal import Decimal

import pytest

from reconcile.stores.data.file import DataError
from tests.stores.data_kit import as_early, as_large, read

moment = datetime.fromisoformat
BOM = b"\xef\xbb\xbf"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "data"


@pytest.fixture(params=["small", "large", "early"])
def size(request):
    """Whether a file is read in one go or by the engine, and in how many passes: the rows are the same."""
    with {"small": nullcontext, "large": as_large, "early": as_early}[request.param]():
        yield request.param


GOOD = {
    "leading zeros stay": (b"zip\n007\n010\n", {"zip": "text"}, [("007",), ("010",)]),
    "64 bits": (b"n\n9223372036854775807\n-9223372036854775808\n", {"n": "integer"}, [(2**63 - 1,), (-(2**63),)]),
    "beyond 64 bits": (
        b"n\n9223372036854775808\n1\n",
        {"n": "decimal(38,0)"},
        [(Decimal(2**63),), (Decimal(1),)],
    ),
    "beyond 38 digits": (b"n\n" + b"1" * 39 + b"\n", {"n": "text"}, [("1" * 39,)]),
    "a gap keeps integers": (b"a,b\n1,x\n,y\n3,z\n", {"a": "integer", "b": "text"}, [(1, "x"), (None, "y"), (3, "z")]),
    "money": (b"m\n12.50\n3.99\n", {"m": "decimal(15,2)"}, [(Decimal("12.50"),), (Decimal("3.99"),)]),
    "doubles": (b"d\n0.1\n3\n1e-05\n", {"d": "double"}, [(0.1,), (3.0,), (1e-05,)]),
    "more digits than a double": (
        b"d\n0.10000000000000001\n2.5\n",
        {"d": "text"},
        [("0.10000000000000001",), ("2.5",)],
    ),
    "versions": (b"v\n1.9\n1.10\n", {"v": "text"}, [("1.9",), ("1.10",)]),
    "exponents, plus, words": (
        b"a,b,c,d\n1e5,+1,NA,on\n2e5,+2,NA,off\n",
        dict.fromkeys("abcd", "text"),
        [("1e5", "+1", "NA", "on"), ("2e5", "+2", "NA", "off")],
    ),
    "not a number": (b"a,b\nnan,inf\nNaN,-inf\n", {"a": "text", "b": "text"}, [("nan", "inf"), ("NaN", "-inf")]),
    "booleans": (b"f\ntrue\nFalse\n", {"f": "boolean"}, [(True,), (False,)]),
    "no booleans": (b"f,g\nyes,1\nno,0\n", {"f": "text", "g": "integer"}, [("yes", 1), ("no", 0)]),
    "days": (b"d\n2024-02-29\n", {"d": "date"}, [(date(2024, 2, 29),)]),
    "no day": (b"d,e\n01/02/2024,2023-02-29\n", {"d": "text", "e": "text"}, [("01/02/2024", "2023-02-29")]),
    "moments": (
        b"t\n2024-01-02 03:04:05\n2024-01-02T03:04:05.600\n2024-01-02 03:04\n",
        {"t": "timestamp"},
        [(moment("2024-01-02 03:04:05"),), (moment("2024-01-02 03:04:05.6"),), (moment("2024-01-02 03:04"),)],
    ),
    "an offset would be lost": (b"t\n2024-01-02T03:04:05+02:00\n", {"t": "text"}, [("2024-01-02T03:04:05+02:00",)]),
    "midnight of the day before": (b"t\n2024-02-29 24:00:00\n", {"t": "text"}, [("2024-02-29 24:00:00",)]),
    "nothing is text": (b"a,b\n,1\n,2\n", {"a": "text", "b": "integer"}, [(None, 1), (None, 2)]),
    "quoted nothing is a text": (b'a,b\n"",""\nx,1\n', {"a": "text", "b": "integer"}, [("", None), ("x", 1)]),
    "a mark before": (BOM + b"a,b\n1,x\n", {"a": "integer", "b": "text"}, [(1, "x")]),
    "a mark before a quote": (BOM + b'"a",b\n1,x\n', {"a": "integer", "b": "text"}, [(1, "x")]),
    "a mark before a header of two lines": (
        BOM + b'"a\nz",b\n1,x\n2,y\n',
        {"a\nz": "integer", "b": "text"},
        [(1, "x"), (2, "y")],
    ),
    "a mark before a header of two lines, one column": (BOM + b'"a\nz"\n1\n2\n', {"a\nz": "integer"}, [(1,), (2,)]),
    "CRLF in quotes": (b'a,b\r\n"x\r\ny",1\r\n"\n",2\r\n', {"a": "text", "b": "integer"}, [("x\r\ny", 1), ("\n", 2)]),
    "CRLF in quotes, lines end in LF": (b'a,b\n"x\r\ny",1\n', {"a": "text", "b": "integer"}, [("x\r\ny", 1)]),
    "CRLF in the header": (b'"a\r\nz",b\n1,x\n', {"a\r\nz": "integer", "b": "text"}, [(1, "x")]),
    "lines end in CR": (b"a,b\r1,x\r2,y\r", {"a": "integer", "b": "text"}, [(1, "x"), (2, "y")]),
    "lines end in all ways": (b"a,b\n1,x\r\n2,y\r3,z", {"a": "integer", "b": "text"}, [(1, "x"), (2, "y"), (3, "z")]),
    "empty lines": (b"\n\na,b\n\n1,x\n\n\n2,y\n\n", {"a": "integer", "b": "text"}, [(1, "x"), (2, "y")]),
    "empty lines, one column": (b'a\n\n1\n\n""\n\n', {"a": "integer"}, [(1,), (None,)]),
    "no last line end": (b"a,b\n1,x", {"a": "integer", "b": "text"}, [(1, "x")]),
    "quotes inside": (b'a,b\n"say ""x""",5" pipe\n', {"a": "text", "b": "text"}, [('say "x"', '5" pipe')]),
    "spaces stay": (b"a,b\n x , 1\n", {"a": "text", "b": "text"}, [(" x ", " 1")]),
    "header only": (b"a,b\n", {"a": "text", "b": "text"}, []),
    "duplicate and blank headers": (
        b"x,x,,x,x_1\na,b,c,d,e\n",
        {"x": "text", "x_2": "text", "column2": "text", "x_3": "text", "x_1": "text"},
        [("a", "b", "c", "d", "e")],
    ),
    "names that differ by case": (b"id,ID\nx,y\n", {"id": "text", "ID_1": "text"}, [("x", "y")]),
    "hostile names": (
        b'"x""; DROP TABLE y; --",\'\n1,2\n',
        {'x"; DROP TABLE y; --': "integer", "'": "integer"},
        [(1, 2)],
    ),
    "a header of years": (b"land,2019,2020\nDE,5.5,6\n", {"land": "text", "2019": "double", "2020": "integer"}, None),
}


@pytest.mark.hazard("Q02")
@pytest.mark.hazard("Q03")
@pytest.mark.hazard("Q12")
@pytest.mark.parametrize("case", GOOD)
def test_what_a_file_is(path, size, case):
    data, columns, rows = GOOD[case]
    asked = {"header": True} if rows is None else {}
    table = read(path, data, **asked)
    assert (table.columns, table.rejects) == (columns, ())
    assert rows is None or table.rows == rows


@pytest.mark.parametrize(
    ("data", "name", "delimiter"),
    [
        (b"a;b\n1,5;x\n2,5;y\n", "x.csv", ";"),
        (b"a|b\n1|x\n", "x.CSV", "|"),
        (b"a\tb\n1\tx, y\n", "x.csv", "\t"),
        (b"a\tb\n1\tx, y\n", "x.tsv", "\t"),
        (b"a\n1\n", "x.csv", ","),
        (b'a,b\n"1;2;3",x\n', "x.csv", ","),
        (b"a;b;c\n1;2\n", "x.csv", ";"),
    ],
)
def test_the_delimiter_is_found(path, data, name, delimiter):
    table = read(path, data, name, on_bad_rows="quarantine")
    assert table.shape.dialect.delimiter == delimiter


@pytest.mark.parametrize(
    ("header", "noted"),
    [
        ("id,name,name", "another column 'name' is called 'name_1'"),
        ("id,name,Name", "another column 'Name' is called 'Name_1'"),
        ("id,,name", "column 2 has no name, and is called 'column1'"),
        (
            "a,b,a,b,a,b",
            (
                "another column 'a' is called 'a_1'; another column 'b' is called 'b_1'; "
                "another column 'a' is called 'a_2'; and 1 more"
            ),
        ),
    ],
)
def test_names_that_the_file_does_not_have_are_told(path, header, noted):
    cells = ",".join("x" for _ in header.split(","))
    [note] = read(path, f"{header}\n{cells}\n".encode(), header=True).notes
    assert note == noted


@pytest.mark.parametrize(
    ("encoding", "declared", "noted"),
    [
        ("utf-16", "auto", ("the text is utf-16-le",)),
        ("utf-16-be", "auto", ("the text is utf-16-be",)),
        ("utf-16-le", "utf-16", ()),
        ("latin-1", "latin-1", ()),
        ("cp1252", "windows-1252", ()),
        ("utf-8-sig", "utf-8-sig", ()),
    ],
)
@pytest.mark.hazard("Q12")
def test_encodings_are_declared_or_detected_and_told(path, size, encoding, declared, noted):
    table = read(path, "name,n\r\nMüller,1\r\n".encode(encoding), encoding=declared)
    assert (table.columns, table.rows, table.notes) == ({"name": "text", "n": "integer"}, [("Müller", 1)], noted)


BAD = {
    "too few cells": (b"a,b\n1,2\n3\n", "x.csv:3:2: 1 cell, not 2"),
    "too many cells": (b"a,b\n1,2\n3,4,5\n", "x.csv:3:5: 3 cells, not 2"),
    "a cell of nothing too many": (b"name,age,note\nDoe, John,5,\n", "x.csv:2:13: 4 cells, not 3"),
    "text after a quote": (b'a,b\n1,"x"y\n', "x.csv:2:3: text follows the closing quote"),
    "an open quote": (b'a,b\n1,"x\n2,y\n', "x.csv:2:3: a quote is opened and never closed"),
    "after a quoted line end": (b'a,b\n"1\n2",x\n3\n', "x.csv:4:2: 1 cell, not 2"),
    "a bad byte": (b"a,b\n1,x\n2,\xe9\n", "x.csv:3:3: byte 0xe9 at offset 10 is not UTF-8"),
    "a bad byte in the header": (b"\xe9,b\n1,x\n", "x.csv:1:1: byte 0xe9 at offset 0 is not UTF-8"),
    "half a character": (b"a,b\r\n\xc3,x\r\n", "x.csv:2:1: byte 0xc3 at offset 5 is not UTF-8"),
    "a NUL": (b"a,b\n1,x\n2,y\0z\n", "x.csv:3:3: column `b` holds a NUL character"),
    "a NUL in the header": (b"a,b\0\n1,x\n", "x.csv:1: the header holds a NUL character"),
}


@pytest.mark.hazard("Q01")
@pytest.mark.hazard("Q12")
@pytest.mark.parametrize("case", BAD)
def test_a_broken_file_says_where(path, size, case):
    data, said = BAD[case]
    with pytest.raises(DataError, match=r"^read ") as caught:
        read(path, data)
    assert str(caught.value).removeprefix("read ") == said
    assert " not " not in said or "byte" in said or "on_bad_rows: quarantine" in caught.value.hint


def test_a_byte_that_the_declared_encoding_lacks(path):
    with pytest.raises(DataError, match=r"x\.csv:3: byte 0x81 at offset 8 is not cp1252"):
        read(path, b"a,b\r\n\r\n\xe9\x81,x\r\n", encoding="cp1252")
    with pytest.raises(DataError, match="`klingon` is no encoding"):
        read(path, b"a,b\n", encoding="klingon")
    with pytest.raises(DataError, match="`rot13` is no encoding"):
        read(path, b"a,b\n", encoding="rot13")


@pytest.mark.hazard("Q01")
def test_bad_rows_are_put_aside_with_line_and_reason(path, size):
    data = b'a,b\n1,2\n3\n4,"x"y\n5,6,7\n8,\xff\n9,"\n"\n11,"open\n12,13\n14,x\n'
    table = read(path, data, types={"b": "integer"}, on_bad_rows="quarantine", null_values=("", "\n"))
    assert table.rows == [(1, 2), (9, None), (12, 13)]
    assert [(reject.line, reject.column, reject.reason, reject.text) for reject in table.rejects] == [
        (3, "", "1 cell, not 2", "3"),
        (4, "", "text follows the closing quote", '4,"x"y'),
        (5, "", "3 cells, not 2", "5,6,7"),
        (6, "", "byte 0xff at offset 25 is not UTF-8", "8,\N{REPLACEMENT CHARACTER}"),
        (9, "", "a quote is opened and never closed", '11,"open'),
        (11, "b", 'column `b` is INTEGER, found "x"', "14,x"),
    ]


@pytest.mark.hazard("Q02")
def test_a_record_that_is_put_aside_for_its_width_has_no_say_in_the_types(path, size):
    table = read(path, b"a,b\n1,2\ntotal\n3,4\n", on_bad_rows="quarantine")
    assert (table.columns, table.rows) == ({"a": "integer", "b": "integer"}, [(1, 2), (3, 4)])


@pytest.mark.hazard("Q13")
@pytest.mark.parametrize("data", [b"", b"\n", b"\r\n\r\n", BOM])
def test_an_empty_file_is_no_table(path, size, data):
    table = read(path, data)
    assert (table.columns, table.rows) == ({}, [])


@pytest.mark.parametrize("data", [b"1,2\n3,4\n", b"1,x\n3,y\n", b"2024-01-01,a\n2024-01-02,b\n", b"1,2\n"])
def test_a_first_record_that_may_be_a_row_is_not_lost(path, size, data):
    with pytest.raises(DataError, match="may be a header or a row") as caught:
        read(path, data)
    assert "csv.header" in caught.value.hint
    assert len(read(path, data, header=True).rows) == data.count(b"\n") - 1
    table = read(path, data, header=False)
    assert (len(table.rows), list(table.columns)) == (data.count(b"\n"), ["column0", "column1"])


def test_null_values_are_what_the_spec_says(path, size):
    data = b'a,b\nNA,"NA"\n,-\n7,x\n'
    table = read(path, data, null_values=("NA", "-"))
    assert (table.columns, table.rows) == ({"a": "text", "b": "text"}, [(None, "NA"), ("", None), ("7", "x")])
    assert read(path, b"a\nNA\n7\n", null_values=("NA",)).rows == [(None,), (7,)]
    assert read(path, b'a,b\n,""\n', null_values=()).rows == [("", "")]


def test_a_null_value_holds_no_delimiter(path, size):
    data = b'a;b\n1;"x,y"\n'
    assert read(path, data, null_values=("x,y",)).rows == [(1, "x,y")]
    with pytest.raises(DataError, match="null_values: 'x;y' holds ';', which stands between the cells of this file"):
        read(path, data, null_values=("x;y",))


def test_null_values_may_be_spelled_as_our_own_words(path, size):
    nulls = ("c0", "v0", "c2", "v2", "TRY_CAST(c1 AS BIGINT)")
    data = b"a,b,c\nc0,TRY_CAST(c1 AS BIGINT),c2\n7,2,v2\nv0,1,c2\n"
    for pinned in (None, read(path, data, null_values=nulls).shape):
        table = read(path, data, null_values=nulls, pinned=pinned)
        assert table.columns == {"a": "integer", "b": "integer", "c": "text"}
        assert table.rows == [(None, None, None), (7, 2, None), (None, 1, None)]


def test_a_cell_may_be_long_and_a_table_wide(path):
    cell = ("x" * 1000 + "\n") * 3000
    table = read(path, f'a,b\n1,"{cell}"\n'.encode())
    assert table.rows == [(1, cell)]
    wide = b",".join(b"c%d" % i for i in range(3000))
    assert len(read(path, wide + b"\n" + wide + b"\n").columns) == 3000
