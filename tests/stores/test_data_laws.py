"""Laws of reading CSV: what was written comes back, no guess loses anything, nothing but our errors comes out."""

from __future__ import annotations

from contextlib import suppress
import csv
import io
import re

from hypothesis import assume, example, given
from hypothesis import strategies as st
import pytest

from reconcile.stores.data.file import DataError, Reading
from reconcile.stores.data.lines import Lines
from reconcile.stores.data.reading import read_data
from reconcile.stores.data.sniff import DELIMITERS, best_delimiter, plain_records
from reconcile.stores.tables.values import plain_values, python_columns, with_doubles
from tests.stores.data_kit import as_early, as_large, read

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
TRICKY = st.text(st.sampled_from('",;|\t\r\n aé\u2028\ufeff'), max_size=8)
NUMBERLIKE = st.from_regex(r"[-+]?0{0,2}[0-9]{0,19}(\.[0-9]{0,17})?(e-?[0-9]{1,2})?", fullmatch=True)
DATELIKE = st.from_regex(
    r"20[0-9]{2}-[01][0-9]-[0-3][0-9]([ T][0-2][0-9]:[0-6]0(:[0-9]{2}(\.[0-9]{1,7})?)?Z?)?", fullmatch=True
)
WORDS = st.sampled_from(["true", "false", "True", "NA", "nan", "inf", "null", "1e5", "007", "0x1F", "1_000", " 1", ""])


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("data") / "data"


@given(
    table=st.integers(1, 4).flatmap(lambda n: st.lists(st.lists(TEXT | TRICKY, min_size=n, max_size=n), min_size=1)),
    delimiter=st.sampled_from(",;|\t"),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
def test_every_text_that_was_written_comes_back(path, table, delimiter, quoting):
    written = io.StringIO(newline="")
    csv.writer(written, delimiter=delimiter, quoting=quoting).writerows(table)
    assume(not written.getvalue().startswith("\ufeff"))  # that is a byte order mark
    types = {f"column{i}": "text" for i in range(len(table[0]))}
    asked = {"delimiter": delimiter, "header": False, "null_values": (), "types": types}
    back = read(path, written.getvalue().encode(), **asked)
    assert [list(row) for row in back.rows] == table
    for large in (as_large, as_early):
        with large():
            assert read(path, None, **asked) == back


def _spellings(type_name: str, value) -> set[str]:
    """The texts that a value may stand for, by the rule in `data/types.py`."""
    if type_name in ("text", "integer") or type_name.startswith("decimal("):
        return {format(value, "f") if type_name.startswith("decimal(") else str(value)}
    if type_name == "double":
        return {repr(value), re.sub(r"\.0$", "", repr(value))}
    if type_name == "boolean":
        return {str(value), str(value).lower(), str(value).upper()}
    if type_name == "date":
        return {value.isoformat()}
    whole = value.isoformat(" ", timespec="microseconds").removesuffix("+00:00")
    day, fraction = whole[:19], whole[20:].rstrip("0")
    bare = {day} if not fraction else set()
    bare |= {f"{day}.{fraction.ljust(digits, '0')}" for digits in range(max(1, len(fraction)), 7)}
    bare |= {day[:16]} if day.endswith(":00") and not fraction else set()
    bare |= {text.replace(" ", "T") for text in bare}
    return bare if type_name == "timestamp" else {text + zone for text in bare for zone in ("Z", "+00:00")}


@given(kind=st.sampled_from([NUMBERLIKE, DATELIKE, WORDS, NUMBERLIKE | WORDS]), data=st.data())
def test_no_guess_loses_anything(path, kind, data):
    cells = data.draw(st.lists(kind, min_size=1, max_size=5))
    back = read(path, "\n".join(["x,y", *(f"{cell},y" for cell in cells)]).encode(), header=True)
    kept = [row[0] for row in back.rows]
    lost = [
        (cell, value, back.columns["x"])
        for cell, value in zip(cells, kept, strict=True)
        if cell not in (_spellings(back.columns["x"], value) if value is not None else {""})
    ]
    assert lost == []
    for large in (as_large, as_early):
        with large():
            assert read(path, None, header=True) == back


@given(kind=st.sampled_from([NUMBERLIKE, DATELIKE, WORDS, NUMBERLIKE | WORDS]), data=st.data())
def test_values_at_hand_are_stored_as_those_of_a_stream_are(path, kind, data):
    cells = data.draw(st.lists(kind, min_size=1, max_size=5))
    path.write_bytes("\n".join(["x,y", *(f"{cell},y" for cell in cells)]).encode())
    with read_data(str(path), "x.csv", Reading(header=True)) as file:
        values = file.values()
        assert values is not None
        [batch] = file.batches()
    streamed = python_columns(with_doubles(batch, 15))
    bound = [list(column) for column in plain_values(file.shape.columns, values, 15)]
    assert (bound, [list(map(type, column)) for column in bound]) == (
        streamed,
        [list(map(type, column)) for column in streamed],
    )


@given(st.text(st.sampled_from(',;|\t\r\n"a\u2028é\ufeff'), max_size=40).map(str.encode) | st.binary(max_size=20))
def test_plain_records_are_found_as_the_exact_reader_finds_them(data):
    found = plain_records(data, ",")
    exact = Lines(io.BytesIO(data), ",")
    assert found in (None, (list(exact), exact.newline)[::-1])
    assert (found is None) <= bool(re.search(rb'["\r\x80-\xff]', data))


@given(st.text(st.sampled_from(',;|\t\n"a'), max_size=20).map(str.encode))
def test_a_delimiter_that_occurs_nowhere_need_not_be_tried(data):
    def rating(delimiter):
        widths = [len(line.cells) for line in Lines(io.BytesIO(data), delimiter)]
        return len(set(widths)) == 1 and widths[0] > 1, widths[0] if widths else 0

    best, (newline, records) = best_delimiter(data)
    exact = Lines(io.BytesIO(data), best)
    assert best == max(DELIMITERS, key=rating)
    assert (records, newline) == (list(exact), exact.newline)


@given(st.binary(max_size=60) | st.text(st.sampled_from('",\r\nab é'), max_size=40).map(str.encode))
def test_any_bytes_give_rows_or_our_error(path, data):
    with suppress(DataError):
        read(path, data)
    for large in (as_large, as_early):
        with large(), suppress(DataError):
            read(path, data)


@given(st.text(st.sampled_from('",\r\nab é'), max_size=40), st.booleans())
@example(text=' "a"  ,b\n  "a",b\n  "",   "a""b"  ', header=False)
@example(text='a\n  "a,b"\n "a"\n', header=True)
def test_the_fast_and_the_exact_reader_see_the_same_rows(path, text, header):
    data = text.encode()
    records = list(Lines(io.BytesIO(data), ","))
    asked = {"header": header, "delimiter": ",", "null_values": (), "on_bad_rows": "quarantine"}
    if not records or records[0].fault:
        return
    width = len(records[0].cells)
    rows = records[1:] if header else records
    types = {name: "text" for i in range(width) for name in (f"column{i}", records[0].cells[i] if header else "")}
    with as_large():
        back = read(path, data, types=types, **asked)
    with as_early():
        assert read(path, None, types=types, **asked) == back
    good = [line for line in rows if not line.fault and len(line.cells) == width]
    assert [list(row) for row in back.rows] == [line.cells for line in good]
    assert [reject.line for reject in back.rejects] == [line.number for line in rows if line not in good]
