"""Rows that are given in the first pass over a CSV file: the same as others, or taken back."""

from __future__ import annotations

from datetime import date

import pytest

from reconcile.stores.data import reading as data_reading
from reconcile.stores.data import relation as data_relation
from reconcile.stores.data import stream as data_stream
from reconcile.stores.data.file import DataError, EarlyError, Reading, ShapeError
from reconcile.stores.data.reading import read_data
from reconcile.stores.data.stream import RowStream
from tests.stores.data_kit import as_early, as_large, read

MANY = 50_000
"""So many rows are given in several batches, and are more than the first by which a file is judged."""


@pytest.fixture(autouse=True)
def _in_small_batches(monkeypatch):
    """The first are given before the last rows are read."""
    monkeypatch.setattr(data_stream, "BATCH_ROWS", 4_096)
    monkeypatch.setattr(data_stream, "AHEAD", "16KB")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "data"


@pytest.fixture
def passes(monkeypatch):
    """What is asked of a whole file beside its rows."""
    asked = []
    for module in (data_relation, data_reading):
        real = module.asked

        def counted(relation, questions, real=real):
            asked.append(len(questions))
            return real(relation, questions)

        monkeypatch.setattr(module, "asked", counted)
    real_proof = RowStream._prove

    def proven(stream):
        asked.append(0)
        real_proof(stream)

    monkeypatch.setattr(RowStream, "_prove", proven)
    return asked


def batches(path, data, *, pinned=None, **asked):
    """The rows of each batch, until something is raised."""
    path.write_bytes(data)
    with as_large(), read_data(str(path), "x.csv", Reading(**asked), pinned=pinned, early=True) as file:
        for batch in file.batches():
            yield list(zip(*(column.to_pylist() for column in batch.columns), strict=True))


def many(last=b"", first=b""):
    """A file of two columns; what is wrong with it is in its last lines."""
    return b"a,b\n" + first + b"".join(b"%d,x\n" % number for number in range(MANY)) + last


@pytest.mark.hazard("Q02")
def test_types_need_no_pass_of_their_own(path, passes):
    data = b'i,t,m,e,d,q\n1,x,1.50,,2024-02-29,"a,b"\n,"",12.00,,,\n7,"c,d,",0.05,,2024-01-01,"say ""a,b"""\n'
    with as_early():
        back = read(path, data)
    assert passes == []
    with as_large():
        assert read(path, None) == back
    assert passes != []
    assert list(back.columns.values()) == ["integer", "text", "decimal(15,2)", "text", "date", "text"]
    assert back.shape.empty == ("e",)


@pytest.mark.parametrize("last", [b"1,x,\n", b"1,x,,\n", b"1\n", b'1,"x\n', b'1,"x"y\n', b"1,\xff\n"])
@pytest.mark.hazard("Q01")
def test_a_record_that_is_no_row_takes_back_all(path, last):
    given = batches(path, many(last))
    assert len(next(given)) > 1_000
    with pytest.raises(EarlyError):
        list(given)
    with pytest.raises(DataError, match=rf"x.csv:{MANY + 2}:[1-9]"), as_large():
        read(path, None)


@pytest.mark.parametrize(
    ("first", "last"), [(b"1,x\n", b"007,x\n"), (b"1,x\n", b"1.5,x\n"), (b"1,\n" * (MANY + 500), b"1,z\n")]
)
@pytest.mark.hazard("Q02")
def test_a_cell_that_the_first_rows_did_not_foretell_takes_back_all(path, first, last):
    data = b"a,b\n" + first + (many()[4:] if first == b"1,x\n" else b"") + last
    given = batches(path, data)
    assert len(next(given)) > 1_000
    with pytest.raises(ShapeError) as caught:
        list(given)
    assert not isinstance(caught.value, EarlyError)


@pytest.mark.hazard("Q01")
def test_a_bad_row_is_named_only_once_all_others_are_known_to_be_rows(path, passes):
    """Where a record before is none the rows are not those of these numbers."""
    with pytest.raises(DataError, match=rf'x.csv:{MANY + 2}:1: column `a` is INTEGER, found "y"') as caught:
        list(batches(path, many(b"y,x\n"), types={"a": "integer"}))
    assert not isinstance(caught.value, ShapeError)
    assert passes == [0]
    with pytest.raises(EarlyError):
        list(batches(path, many(b"y,x\n1,x,\n"), types={"a": "integer"}))


def test_a_pinned_shape_that_does_not_hold_is_another_shape(path, passes):
    pinned = read(path, b"a,b\n1,x\n").shape
    assert sum(map(len, batches(path, many(), pinned=pinned))) == MANY
    assert passes == []
    with pytest.raises(ShapeError) as caught:
        list(batches(path, many(b"y,x\n"), pinned=pinned))
    assert not isinstance(caught.value, EarlyError)
    with pytest.raises(EarlyError):
        list(batches(path, many(b"y,x\n1,x,\n"), pinned=pinned))


def test_where_delimiters_prove_nothing_another_pass_does(path, passes):
    data = b'a,b\n"01,02,2024",1\n"03,02,2024",2\n"04,02,2024",3\n'
    with as_early():
        back = read(path, data, types={"a": "date(%d,%m,%Y)"})
    assert back.rows[0] == (date(2024, 2, 1), 1)
    assert passes == [0]
    with as_early():
        assert read(path, b"a\n1\n2\n3\n").rows == [(1,), (2,), (3,)]
        assert read(path, "a\u00a7b\n1\u00a72\n3\u00a74\n".encode(), delimiter="\u00a7").rows == [(1, 2), (3, 4)]
    assert len(passes) > 1


@pytest.mark.hazard("Q02")
def test_a_header_of_numbers_is_judged_by_the_types_of_all_rows(path):
    """By those of the first rows alone it could be a row as well, and the file would be refused."""
    data = b"2020,2021\n1,2\n3,4\nn/a,n/a\n"
    with as_early():
        back = read(path, data)
    assert back == read(path, None)
    assert back.columns == {"2020": "text", "2021": "text"}
    with as_early(), pytest.raises(DataError, match="a header or a row"):
        read(path, b"2020,2021\n1,2\n3,4\n")


def test_rows_that_are_put_aside_are_asked_for_their_types_too(path):
    """What stands in them decides on a column as well: it must not depend on whether the file is read early."""
    data = b"a,b\n1,1\n2,2\nx,y\n"
    with as_early():
        back = read(path, data, types={"a": "integer"}, on_bad_rows="quarantine")
    assert (back.columns, back.rows) == ({"a": "integer", "b": "text"}, [(1, "1"), (2, "2")])
