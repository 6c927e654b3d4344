"""A file that grew is read from where it ended, and that gives the rows that reading all of it would have given."""

from __future__ import annotations

import gzip

from hypothesis import given
from hypothesis import strategies as st
import msgspec
import pytest

from reconcile.stores.data.append import grown_part
from reconcile.stores.data.file import DataError, Grown, Shape, ShapeError
from tests.stores.data_kit import as_large, read

CELLS = st.sampled_from(["", "1", "2", "2.5", "x", "007", '"a\nb"', '""', "2024-01-01", "true"])


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("data") / "data"


def append(path, old: bytes, new: bytes, name="x.csv", **asked):
    """What the appended part gives, the shape having been through the ledger; or why it is not read alone."""
    before = read(path, old, name, **asked)
    path.write_bytes(old + new)
    shape = msgspec.json.decode(msgspec.json.encode(before.shape), type=Shape)
    part = grown_part(str(path), name, shape, loaded_bytes=len(old), loaded_rows=len(before.rows))
    if isinstance(part, str):
        return before, part
    return before, read(path, None, name, pinned=shape, grown=part, **asked)


def test_only_the_new_rows_are_read(path):
    before, after = append(path, b"a,b\n1,x\n", b"2,y\n3,\n")
    assert (after.rows, after.columns, after.shape) == ([(2, "y"), (3, None)], before.columns, before.shape)
    with as_large():
        assert append(path, b"a,b\n1,x\n", b"2,y\n3,\n")[1] == after


def test_the_index_goes_on(path):
    _, after = append(path, b"a\nx\ny\n", b"z\n", index_column=True)
    assert after.rows == [(2, "z")]


def test_lines_of_json_go_on(path):
    _, after = append(path, b'{"a":1,"b":"x"}\n', b'{"b":"y"}\n{"a":3}\n', name="x.jsonl")
    assert after.rows == [(None, "y"), (3, None)]
    with pytest.raises(ShapeError):
        append(path, b'{"a":1}\n', b'{"c":1}\n', name="x.jsonl")
    with pytest.raises(ShapeError):
        append(path, b'{"a":1}\n', b'{"a":"1"}\n', name="x.jsonl")
    with pytest.raises(ShapeError):
        append(path, b'{"a":1,"b":null}\n', b'{"b":1}\n', name="x.jsonl")


@pytest.mark.parametrize(
    ("old", "new"), [(b"a,b\n1,x\n", b"2.5,y\n"), (b"a,b\n1,x\n", b"007,y\n"), (b"a,b\n1,\n", b"2,5\n")]
)
@pytest.mark.hazard("Q03")
def test_another_shape_is_no_bad_row(path, old, new):
    with pytest.raises(ShapeError, match=r"x.csv:3:[13]: column"):
        append(path, old, new, on_bad_rows="quarantine")
    with as_large(), pytest.raises(ShapeError, match=r"x.csv:3:[13]: column"):
        append(path, old, new, on_bad_rows="quarantine")


def test_a_bad_row_is_named_by_its_line_in_the_whole_file(path):
    with pytest.raises(DataError, match=r"x.csv:5:2: 1 cell, not 2"):
        append(path, b"a,b\n1,x\n\n", b"2,y\n3\n")
    with pytest.raises(DataError, match=r'x.csv:3:1: column `a` is INTEGER, found "z"'):
        append(path, b"a,b\n1,x\n", b"z,y\n", types={"a": "integer"})


@pytest.mark.parametrize(
    ("old", "name", "why"),
    [
        (b"a,b\n1,x", "x.csv", "no end"),
        (b"a,b\n", "x.csv", "no rows"),
        ("a,b\n1,x\n".encode("utf-16"), "x.csv", "utf-16"),
        (b'[{"a":1}]\n', "x.json", "format"),
        (gzip.compress(b"a,b\n1,x\n", mtime=0), "x.csv", "format"),
    ],
)
def test_why_all_is_read_again(path, old, name, why):
    _, said = append(path, old, b"2,y\n", name)
    assert why in said


@pytest.mark.hazard("Q12")
def test_a_mark_between_two_files_that_were_put_together_is_a_character_of_a_cell(path):
    """Read alone, the second file would begin with it, and its first cell would have lost it."""
    before, said = append(path, b"a,b\nx,1\n", b"\xef\xbb\xbfy,2\n")
    assert "mark" in said
    assert read(path, None, pinned=before.shape).rows == [("x", 1), ("\ufeffy", 2)]


@pytest.mark.hazard("Q03")
def test_what_was_declared_otherwise_is_another_shape(path):
    shape = read(path, b"a,b\n1,x\n").shape
    with pytest.raises(ShapeError, match="declared otherwise"):
        read(path, None, pinned=shape, types={"a": "text"})
    with pytest.raises(ShapeError, match="columns are others"):
        read(path, b"b,a\n1,x\n", pinned=shape)
    with pytest.raises(ShapeError, match="was csv before"):
        read(path, None, "x.jsonl", pinned=shape)
    assert read(path, b"a,b\n1,x\n", pinned=shape).rows == [(1, "x")]


@given(
    st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=4),
    st.lists(st.tuples(CELLS, CELLS), max_size=3),
    st.booleans(),
)
def test_old_rows_and_new_rows_are_all_rows(path, old, new, large):
    def written(rows):
        return "".join(f"{a},{b}\n" for a, b in rows).encode()

    def both():
        before, after = append(path, b"a,b\n" + written(old), written(new), header=True)
        whole = read(path, None, header=True)
        assert (before.rows + after.rows, after.shape) == (whole.rows, before.shape)

    try:
        if large:
            with as_large():
                both()
        else:
            both()
    except ShapeError:
        whole = read(path, None, header=True).shape
        path.write_bytes(b"a,b\n" + written(old))
        assert read(path, None, header=True).shape != whole


def test_a_part_may_be_empty(path):
    _, after = append(path, b"a,b\n1,x\n", b"")
    assert after.rows == []
    assert isinstance(grown_part(str(path), "x", after.shape, loaded_bytes=8, loaded_rows=1), Grown)
