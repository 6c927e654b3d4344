"""A listing ends because the service says so; whatever breaks it makes keys unknown, never absent."""

from dataclasses import replace
import re

import pytest

from reconcile.core.entry import Cover, Entry, Problem
from reconcile.core.errors import BusyError, DamagedError, DeniedError, NotFoundError
from reconcile.stores.objects.list import UnorderedError
from reconcile.stores.objects.ranges import list_ranges
from reconcile.stores.objects.store import ObjectStore
from reconcile.stores.wrap import Retrying
from tests.fakes.s3 import FakeS3
from tests.fakes.s3_faults import Answer, answer, error, html, lose_after, lose_before, refuse, rewrite, tell
from tests.stores.fakes import OwnClock


@pytest.fixture
def s3():
    with FakeS3() as server:
        yield server


def opened(s3, prefix="p", **extra):
    return ObjectStore.open(f"s3://bucket/{prefix}", s3.options(**extra))


def filled(s3, count=10, page=3):
    for number in range(count):
        s3.put(f"p/k{number:03}")
    s3.page = page
    return [f"k{number:03}" for number in range(count)]


def keys(found):
    return [entry.key for entry in found if isinstance(entry, Entry)]


def problems(found):
    return [entry for entry in found if isinstance(entry, Problem)]


def test_all_pages_are_listed(s3):
    wanted = filled(s3)
    assert keys(opened(s3).list()) == wanted
    assert len(s3.ops("list")) == 4


@pytest.mark.hazard("N12")
def test_siblings_of_the_prefix_are_never_asked_for(s3):
    s3.put("p/a")
    s3.put("p2/b")
    s3.put("p-old/c")
    assert keys(opened(s3).list()) == ["a"]
    assert [request.query["prefix"] for request in s3.ops("list")] == ["p/"]


@pytest.mark.hazard("N12")
def test_keys_that_were_not_asked_for_are_damage(s3):
    s3.put("p/a")
    fault = s3.fault("list", rewrite("p/a", "p2/a"))
    [problem] = opened(s3).list()
    assert fault.fired
    assert problem.cover is Cover.RANGE


@pytest.mark.hazard("N13")
@pytest.mark.parametrize(
    "key", ["a%2Fb", "a+b", "a b", "#", "?", "é\N{SLICE OF PIZZA}", "a&b<c>", "tab\tnewline\n", "'\""]
)
def test_keys_arrive_as_they_are(s3, key):
    s3.put(f"p/{key}")
    store = opened(s3)
    [entry] = store.list()
    assert entry.key == key
    assert b"".join(store.read(key, version=entry.version)) == b"1"


@pytest.mark.hazard("R01")
@pytest.mark.parametrize("order", ["none", "bytes"])
@pytest.mark.parametrize("told", [error(403, "AccessDenied"), Answer(200, b"<html/>"), Answer(200, b"")])
def test_a_page_that_fails_leaves_the_rest_unknown(s3, order, told):
    wanted = filled(s3)
    fault = s3.fault("list", answer(told), nth=3)
    found = list(opened(s3, order=order).list(until="k008"))
    assert fault.fired == 1
    assert keys(found) == wanted[:6]
    [problem] = problems(found)
    assert (problem.cover, problem.until) == (Cover.RANGE, "k008")
    assert problem.key == ("k005" if order == "bytes" else "")  # without an order any key may be among the missing
    assert all(problem.covers(key) for key in wanted[6:9])


@pytest.mark.hazard("R01")
@pytest.mark.parametrize("act", [refuse(503, "SlowDown"), lose_before()])
def test_a_busy_page_can_be_asked_for_again(s3, act):
    wanted = filled(s3)
    store = opened(s3, order="bytes")
    fault = s3.fault("list", act, nth=3)
    found = []
    with pytest.raises(BusyError):
        found.extend(entry.key for entry in store.list())
    assert fault.fired == 1
    assert found + keys(store.list(after=found[-1])) == wanted


@pytest.mark.hazard("R01", "R07")
@pytest.mark.parametrize("order", ["bytes", "none"])
@pytest.mark.parametrize("act", [lose_before(), refuse(503, "SlowDown"), lose_after()])
def test_a_page_in_the_middle_is_asked_for_again_whatever_the_order(s3, order, act):
    wanted = filled(s3)
    fault = s3.fault("list", act, nth=3, times=3)
    assert keys(Retrying(opened(s3, order=order), clock=OwnClock()).list()) == wanted
    assert fault.fired == 3
    assert len(s3.ops("list")) == 4 + 3, "no page that came is asked for again"


@pytest.mark.hazard("R01", "R07")
@pytest.mark.parametrize("order", ["bytes", "none"])
def test_patience_with_a_page_ends(s3, order):
    filled(s3)
    s3.fault("list", refuse(503, "SlowDown"), nth=3, times=100)
    patient = Retrying(opened(s3, order=order), clock=OwnClock())
    if order == "bytes":
        with pytest.raises(BusyError):
            list(patient.list())
    else:
        assert problems(patient.list())
    assert len(s3.ops("list")) == 2 + 8


@pytest.mark.hazard("R01", "R06")
@pytest.mark.parametrize("told", [error(404, "NoSuchKey"), Answer(404)])
def test_a_listing_that_is_not_found_is_no_empty_one(s3, told):
    """Only a bucket can be missing, and that is said by name."""
    s3.put("p/a")
    fault = s3.fault("list", answer(told))
    with pytest.raises(DamagedError, match="missing"):
        list(opened(s3).list())
    assert fault.fired == 1


@pytest.mark.hazard("R01", "R15", "R32")
@pytest.mark.parametrize(
    ("act", "kind"),
    [
        (refuse(403, "AccessDenied"), DeniedError),
        (refuse(404, "NoSuchBucket"), NotFoundError),
        (refuse(503, "SlowDown"), BusyError),
        (lose_before(), BusyError),
        (html(), DamagedError),
        (answer(Answer(200, b"")), DamagedError),
        (answer(Answer(200, b"<!DOCTYPE html><ListBucketResult/>")), DamagedError),
    ],
)
def test_a_first_page_that_fails_is_no_empty_listing(s3, act, kind):
    filled(s3)
    fault = s3.fault("list", act)
    with pytest.raises(kind):
        list(opened(s3).list())
    assert fault.fired == 1


@pytest.mark.hazard("R02")
@pytest.mark.parametrize(
    ("pattern", "by"),
    [
        ("<NextContinuationToken>.*</NextContinuationToken>", ""),
        ("<NextContinuationToken>.*</NextContinuationToken>", "<NextContinuationToken>p/k002</NextContinuationToken>"),
        ("<IsTruncated>true</IsTruncated>", "<IsTruncated>false</IsTruncated>"),
        ("<IsTruncated>true</IsTruncated>", ""),
    ],
    ids=["no token", "the token again", "a token but no more", "not said"],
)
def test_a_listing_that_does_not_say_how_it_goes_on_is_incomplete(s3, pattern, by):
    filled(s3)
    fault = s3.fault("list", rewrite(pattern, by), nth=2, times=99)
    found = list(opened(s3, order="bytes").list())
    assert fault.fired
    assert len(s3.ops("list")) <= 4
    assert [problem.cover for problem in problems(found)] == [Cover.RANGE]


@pytest.mark.hazard("R02", "S16")
def test_a_listing_in_circles_ends(s3):
    filled(s3)
    number = iter(range(1_000_000))

    def from_the_start(request, work):
        told = work(replace(request, query={"prefix": "p/"}))
        return replace(told, body=re.sub(rb"(<NextContinuationToken>)[^<]*", rb"\g<1>t%d" % next(number), told.body))

    fault = s3.fault("list", from_the_start, times=1_000_000)
    found = list(opened(s3).list())
    assert fault.fired < 10
    assert problems(found)


@pytest.mark.hazard("S16")
def test_endless_empty_pages_end(s3):
    number = iter(range(1_000_000))
    page = "<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>{}</NextContinuationToken>"
    s3.fault(
        "list",
        lambda request, work: Answer(200, f"{page.format(next(number))}</ListBucketResult>".encode()),
        times=1_000_000,
    )
    assert len(problems(opened(s3).list())) == 1
    assert len(s3.ops("list")) < 200


@pytest.mark.hazard("S16")
def test_a_page_without_an_end_is_cut_off(s3, monkeypatch):
    monkeypatch.setattr("reconcile.stores.objects.s3_wire.ANSWER_BYTES", 1 << 20)
    fault = s3.fault("list", answer(Answer(200, b" " * (2 << 20))))
    with pytest.raises(DamagedError, match="does not end"):
        list(opened(s3).list())
    assert fault.fired == 1


@pytest.mark.hazard("R32")
def test_a_page_that_is_cut_off_is_none(s3):
    filled(s3)
    fault = s3.fault("list", tell(lambda told: replace(told, cut=len(told.body) - 40)))
    with pytest.raises(BusyError):
        list(opened(s3).list())
    assert fault.fired == 1


@pytest.mark.hazard("R03")
def test_repeated_keys_come_once(s3):
    filled(s3, count=3)
    fault = s3.fault("list", rewrite("(<Contents>.*?</Contents>)", r"\1\1"))
    assert keys(opened(s3).list()) == ["k000", "k001", "k002"]
    assert fault.fired == 1


@pytest.mark.hazard("R03")
def test_unsorted_keys_are_all_given_where_no_order_was_promised(s3):
    filled(s3, count=2)
    swap = rewrite("(<Contents>.*?</Contents>)(<Contents>.*?</Contents>)", r"\2\1")
    fault = s3.fault("list", swap, times=2)
    store = opened(s3)
    assert keys(store.list()) == ["k001", "k000"]
    assert store.traits.order == "none"
    trusting = opened(s3, order="bytes")
    with pytest.raises(UnorderedError):
        list(trusting.list())
    assert trusting.traits.order == "none"
    assert fault.fired == 2


@pytest.mark.hazard("R03")
@pytest.mark.parametrize(
    ("names", "order"),
    [
        (["x-1", "x/1"], "bytes"),
        (["a/x.txt", "a/x/1"], "bytes"),
        (["x-1/a", "x/1"], "bytes"),
        (["a", "b/c", "b/d"], "none"),
        (["x/1", "x0"], "none"),
    ],
)
def test_an_order_is_earned_by_a_whole_listing_with_a_witness(s3, names, order):
    for name in names:
        s3.put(f"p/{name}")
    store = opened(s3)
    list(store.list(after="a"))
    assert store.traits.order == "none"
    assert keys(store.list()) == names
    assert store.traits.order == order


@pytest.mark.hazard("R26", "R23", "R25")
def test_keys_that_are_no_paths_are_problems_beside_the_others(s3):
    for key in ("p/a//b", "p/../up", "p/./c", "p//abs", "p/x", "p/x/y", "p/dir/", "p/full/", "p/"):
        s3.put(key, b"" if key in ("p/dir/", "p/") else b"1")
    found = list(opened(s3).list())
    assert keys(found) == ["x", "x/y"]
    assert sorted(problem.key for problem in problems(found)) == ["../up", "./c", "/abs", "a//b", "full/"]


def test_control_files_are_not_listed_but_found_in_their_place(s3):
    for key in (".reconcile/undo/1", "a/.git/config", ".reconcile-tmp-1", ".hidden"):
        s3.put(f"p/{key}")
    assert keys(opened(s3).list()) == [".hidden"]
    assert keys(opened(s3).list(".reconcile/undo")) == [".reconcile/undo/1"]


def test_ranges_make_one_listing(s3):
    wanted = filled(s3, count=40)
    store = opened(s3, order="bytes")
    bounds = ["k010", "k017", "k017x", "k039", "zzz"]
    assert keys(list_ranges(store, bounds)) == wanted
    assert {request.query.get("start-after") for request in s3.ops("list")} >= {"p/k010", "p/k017", "p/k039"}
    assert keys(list_ranges(store, bounds, after="k005", until="k020")) == wanted[6:21]
    assert keys(list_ranges(opened(s3), bounds)) == wanted


def test_a_range_that_fails_is_the_only_one_unknown(s3):
    wanted = filled(s3, count=30)
    denied = error(403, "AccessDenied")
    s3.fault(
        "list", lambda told, work: denied if told.query.get("continuation-token") == "p/k012" else work(told), times=99
    )
    found = list(list_ranges(opened(s3, order="bytes"), ["k009", "k019"]))
    [problem] = problems(found)
    assert (problem.key, problem.until) == ("k012", "k019")
    assert keys(found) == wanted[:13] + wanted[20:]


def test_who_stops_reading_ranges_stops_the_listing(s3):
    filled(s3, count=40)
    ranges = list_ranges(opened(s3, order="bytes"), ["k010", "k020"])
    assert next(ranges).key == "k000"
    ranges.close()
