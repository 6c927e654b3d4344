"""The spill: any order in, key order out, whatever the size."""

from __future__ import annotations

from contextlib import closing

from hypothesis import given
from hypothesis import strategies as st
import pytest

from reconcile.core.errors import StateError
from reconcile.ports import Spill
from reconcile.state.spill import make_spill
from tests.state.test_state_faults import files_up_to

rows = st.lists(st.tuples(st.text(alphabet="a/b-ä\x00\U0001f600", max_size=3), st.binary(max_size=3)), max_size=12)


@given(rows=rows, limit=st.integers(0, 13))
def test_rows_come_back_by_key_and_equal_keys_in_their_order(rows, limit):
    with closing(make_spill(limit)) as spill:
        port: Spill = spill
        for key, value in rows:
            port.put(key, value)
        assert len(port) == len(rows)
        assert list(port.rows()) == sorted(rows, key=lambda row: row[0].encode())
        assert list(port.rows()) == sorted(rows, key=lambda row: row[0].encode())


def test_many_rows_leave_the_memory():
    with closing(make_spill(limit=100)) as spill:
        for n in range(10_000):
            spill.put(f"{n * 7919 % 10_000:05}", b"x")
        assert len(spill._memory) <= 2_000
        assert [key for key, _ in spill.rows()] == [f"{n:05}" for n in range(10_000)]
        spill.put("00000", b"y")
        assert len(spill) == 10_001
        assert [value for _, value in spill.rows()][:2] == [b"x", b"y"]


def test_a_closed_spill_is_empty():
    spill = make_spill(limit=1)
    for _ in range(5):
        spill.put("a", b"")
    spill.close()
    spill.close()
    assert len(spill) == 0
    assert list(spill.rows()) == []


@pytest.mark.hazard("T18")
def test_a_full_disk_is_an_error():
    def fill():
        for n in range(10_000):
            spill.put(f"{n}", b"x" * 1_000)

    with closing(make_spill(limit=1)) as spill, files_up_to(100_000), pytest.raises(StateError, match="disk"):
        fill()
