"""Laws of listing: whatever the keys, the pages and the cuts, every key comes once and exactly as it is."""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
import pytest

from reconcile.core.entry import Entry, Version
from reconcile.core.errors import BusyError, DamagedError
from reconcile.core.path import has_control, why_not_key
from reconcile.ports import Traits
from reconcile.stores.objects.list import Item, Order, View, entries
from reconcile.stores.objects.ranges import list_ranges
from reconcile.stores.objects.store import ObjectStore
from reconcile.stores.options import StoreOptions
from reconcile.testing.samples import body_of, content
from tests.fakes.s3 import FakeS3
from tests.fakes.s3_faults import html

SEGMENTS = st.text(st.sampled_from("ab-./!x0é\N{SLICE OF PIZZA}"), min_size=1, max_size=4)
KEYS = st.lists(SEGMENTS, min_size=1, max_size=3).map("/".join)


def pages_of(keys, size):
    items = [Item(f"p/{key}", 1, Version("v"), 0) for key in keys]
    return [items[start : start + size] for start in range(0, len(items), size)] or [[]]


class Listed:
    """A store that only lists."""

    def __init__(self, keys, size):
        self.traits = Traits(order="bytes")
        self._keys, self._size = sorted(keys), size

    def list(self, under="", *, after=None, until=None):
        pages = pages_of([key for key in self._keys if after is None or key > after], self._size)
        return entries(pages, View("p/", under, after, until), Order(trusted=True))


@given(st.sets(KEYS), st.integers(1, 5))
def test_a_key_is_given_or_said_to_be_none_or_ours(keys, size):
    found = list(entries(pages_of(sorted(keys), size), View("p/"), Order(trusted=True)))
    good = {key for key in keys if why_not_key(key) is None and not has_control(key)}
    assert [entry.key for entry in found if isinstance(entry, Entry)] == sorted(good)
    said = {entry.key for entry in found if not isinstance(entry, Entry)}
    assert said == {key for key in keys if why_not_key(key) and not has_control(key)}


@given(st.sets(KEYS), st.lists(KEYS, max_size=6), st.integers(1, 3))
@settings(max_examples=30)
def test_cuts_change_nothing(keys, bounds, size):
    store = Listed(keys, size)
    assert list(list_ranges(store, bounds)) == list(store.list())


@given(st.lists(KEYS, unique=True))
def test_an_order_by_path_segments_is_never_taken_for_one_by_bytes(keys):
    by_segments = sorted(keys, key=lambda key: key.split("/"))
    order = Order(trusted=False)
    list(entries(pages_of(by_segments, 3), View("p/"), order))
    if order.trusted:
        assert all(one < two for one, two in pairwise(by_segments))
        assert by_segments == sorted(keys)


@pytest.mark.hazard("N13", "N06")
@given(st.lists(st.text(min_size=1, max_size=12), min_size=1, max_size=5, unique=True))
@settings(max_examples=25)
def test_what_is_put_is_listed_and_read_under_its_name(names):
    names = [name for name in names if why_not_key(name) is None and not has_control(name) and "\\" not in name]
    with FakeS3() as s3:
        store = ObjectStore.open("s3://bucket/p", s3.options())
        for name in names:
            store.write(name, body_of(name.encode()), expect=Version(""))
        assert [entry.key for entry in store.list()] == sorted(names)
        assert [content(store, name) for name in names] == [name.encode() for name in names]
        assert store.delete([(name, Version("*")) for name in names]) == [None] * len(names)
        assert s3.objects == {}
        store.close()


@pytest.mark.hazard("S16")
def test_an_answer_that_drips_is_given_up(monkeypatch):
    monkeypatch.setattr("reconcile.stores.objects.s3_wire.ANSWER_S", -1)
    with FakeS3() as s3:
        store = ObjectStore.open("s3://bucket/p", s3.options())
        with pytest.raises((DamagedError, BusyError)):
            list(store.list())
        store.close()


@pytest.mark.hazard("R32", "R06")
@pytest.mark.parametrize("url", ["gs://bucket/p", "az://container/p"])
def test_the_page_of_a_proxy_is_no_empty_listing_anywhere(url, monkeypatch):
    monkeypatch.setenv("GOOGLE_SKIP_SIGNATURE", "true")
    words = {"account": "acme", "account_key": "a2V5"} if url.startswith("az") else {}
    with FakeS3() as s3:
        faults = [s3.fault(op, html(), times=9) for op in ("get", "head", "list")]
        store = ObjectStore.open(url, StoreOptions(endpoint=s3.endpoint, extra=words))
        with pytest.raises(DamagedError):
            list(store.list())
        assert sum(fault.fired for fault in faults)
        store.close()
