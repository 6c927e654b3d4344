"""Tables with an index column, as pandas wrote them for the users of file2sql, but where pandas loses something."""

from __future__ import annotations

import pytest

from tests.stores.data_kit import as_large, read


@pytest.fixture(params=["small", "large"])
def path(tmp_path, request):
    if request.param == "small":
        yield tmp_path / "data"
    else:
        with as_large():
            yield tmp_path / "data"


CASES = {
    "their demo": (
        b"header1,header2,header2\nl1,l2,l3\n",
        ["index", "header1", "header2", "header2.1"],
        [(0, "l1", "l2", "l3")],
    ),
    "appended": (b"a,b\nl1,l2\nl4,l5\n", ["index", "a", "b"], [(0, "l1", "l2"), (1, "l4", "l5")]),
    "three of one name": (b"x,x,x\na,b,c\n", ["index", "x", "x.1", "x.2"], [(0, "a", "b", "c")]),
    "a name taken": (b"x,x,x.1\na,b,c\n", ["index", "x", "x.2", "x.1"], [(0, "a", "b", "c")]),
    "blank names": (b",b,\na,b,c\n", ["index", "Unnamed: 0", "b", "Unnamed: 2"], [(0, "a", "b", "c")]),
    "a column named index": (b"index,b\na,b\n", ["level_0", "index", "b"], [(0, "a", "b")]),
    "index and level_0": (b"index,level_0\na,b\n", ["level_1", "index", "level_0"], [(0, "a", "b")]),
    "a header of numbers": (b"1,2\n3,4\n", ["index", "1", "2"], [(0, 3, 4)]),
    "days stay text": (b"d\n2024-01-01\n", ["index", "d"], [(0, "2024-01-01")]),
    "a byte order mark": (b"\xef\xbb\xbfa,b\nx,1\n", ["index", "a", "b"], [(0, "x", 1)]),
    "empty lines": (b"a,b\n\nx,1\n\n", ["index", "a", "b"], [(0, "x", 1)]),
    "theirs was 7": (b"a\n007\n", ["index", "a"], [(0, "007")]),
    "theirs was null": (b"a\nNA\n", ["index", "a"], [(0, "NA")]),
    "theirs was a float": (b"a,b\n1,x\n,y\n", ["index", "a", "b"], [(0, 1, "x"), (1, None, "y")]),
}


@pytest.mark.parametrize("case", CASES)
def test_what_the_table_is(path, case):
    data, names, rows = CASES[case]
    table = read(path, data, index_column=True)
    assert (list(table.columns), table.rows) == (names, rows)


def test_their_types(path):
    table = read(path, b"i,f,b,t,d\n1,1.5,True,x,2024-01-01\n2,2.25,False,y,2024-01-02\n", index_column=True)
    kinds = ["integer", "integer", "double", "boolean", "text", "text"]
    assert list(table.columns.values()) == kinds


def test_a_header_alone_is_all_text(path):
    table = read(path, b"a,b\n", index_column=True)
    assert (table.columns, table.rows) == ({"index": "text", "a": "text", "b": "text"}, [])


@pytest.mark.parametrize("data", [b"", b"\n\n"])
def test_an_empty_file_is_no_table(path, data):
    assert read(path, data, index_column=True).columns == {}


def test_the_index_counts_the_rows_that_are_kept(path):
    table = read(path, b"a,b\nx,1\ny\nz,2\n", index_column=True, on_bad_rows="quarantine")
    assert table.rows == [(0, "x", 1), (1, "z", 2)]


def test_files_that_broke_their_watcher_are_read(path):
    assert read(path, b"a;b\n1;x\n", index_column=True).rows == [(0, 1, "x")]
    assert list(read(path, b"id,ID\nx,y\n", index_column=True).columns) == ["index", "id", "ID.1"]
