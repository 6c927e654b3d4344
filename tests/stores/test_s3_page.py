"""A page read by the quick expression says what the parser says; what is not of one shape is the parser's."""

from urllib.parse import quote_plus

from hypothesis import given
from hypothesis import strategies as st
import pytest

from reconcile.core.errors import DamagedError
from reconcile.stores.objects import s3_page
from reconcile.stores.objects.s3_page import mtime_ns, read_page
from reconcile.stores.objects.s3_wire import Reply, text

SHAPES = [
    "<Contents>{key}<LastModified>{time}</LastModified>{etag}<Size>{size}</Size></Contents>",
    "<Contents>{key}{etag}<Size>{size}</Size><Owner><ID>{owner}</ID></Owner><X/><LastModified>{time}</LastModified></Contents>",
    "<Contents>{etag}<Size>{size}</Size><LastModified>{time}</LastModified>{key}<Owner><DisplayName></DisplayName></Owner></Contents>",
]
TIMES = ["2026-11-21T06:33:15Z", "2026-11-21T06:33:15.125Z", "1999-01-01T00:00:00.000Z"]
printable = st.characters(exclude_categories=["C", "Z"]) | st.just(" ")
objects = st.fixed_dictionaries(
    {
        "key": st.text(printable, min_size=1, max_size=12),
        "etag": st.sampled_from(["&quot;ab12&quot;", "&#34;cd34-2&#34;", '"ef56"']),
        "size": st.integers(0, 5 << 40),
        "time": st.sampled_from(TIMES),
        "owner": st.sampled_from(["", "me", "R&amp;D"]),
    }
)


def page(shapes, found, between=""):
    told = (
        shape.format(
            key=f"<Key>{quote_plus(each['key'])}</Key>", etag=f"<ETag>{each['etag']}</ETag>",
            size=each["size"], time=each["time"], owner=each["owner"],
        )
        for shape, each in zip(shapes, found, strict=True)
    )  # fmt: skip
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        f"<IsTruncated>true</IsTruncated>{between.join(told)}"
        "<NextContinuationToken>a&amp;b</NextContinuationToken><EncodingType>url</EncodingType></ListBucketResult>"
    )


def read(content):
    return read_page(Reply(200, {}, content.encode()), "p/")


@given(st.data(), st.lists(objects, max_size=8), st.sampled_from(["", "\n  ", "<!-- x -->"]))
def test_both_ways_say_the_same(data, found, between):
    shapes = data.draw(st.lists(st.sampled_from(SHAPES), min_size=len(found), max_size=len(found)))
    root, items = read(page(shapes, found, between))
    assert [(item.key, item.size, item.mtime_ns) for item in items] == [
        (each["key"], each["size"], mtime_ns(each["time"])) for each in found
    ]
    assert [item.version for item in items] == [
        each["etag"].replace("&quot;", "").replace("&#34;", "").strip('"') for each in found
    ]
    assert (text(root, "NextContinuationToken"), text(root, "IsTruncated")) == ("a&b", "true")


@pytest.mark.hazard("R32")
@pytest.mark.parametrize(
    ("change", "keys"),
    [
        (lambda told: told[::-1].replace(">stnetnoC/<", "> stnetnoC/<", 1)[::-1], ["p0", "p1", "p2"]),
        (lambda told: told.replace("<Contents>", "<Contents >", 1), ["p0", "p1", "p2"]),
        (lambda told: told.replace("<Contents>", "<!--<Contents>", 1).replace("</Contents><N", "</Contents>--><N"), []),
        (lambda told: told.replace("<Contents>", "<X><Contents>", 1).replace("</Contents><N", "</Contents></X><N"), []),
        (lambda told: told.replace("<Contents>", "<!--<Contents>--><Contents>", 1), ["p0", "p1", "p2"]),
    ],
    ids=["an end with a blank", "a beginning with a blank", "in a comment", "in something else", "half in a comment"],
)
def test_objects_that_do_not_all_stand_in_one_place_are_the_parsers(change, keys):
    found = [{"key": f"p{n}", "etag": '"e"', "size": n, "time": TIMES[0], "owner": "me"} for n in range(3)]
    assert [item.key for item in read(change(page([SHAPES[1]] * 3, found)))[1]] == keys


def test_objects_of_one_shape_do_not_meet_the_parser(monkeypatch):
    found = [{"key": f"k{n}", "etag": '"e"', "size": n, "time": TIMES[0], "owner": "me"} for n in range(3)]
    monkeypatch.setattr(s3_page, "_fields", None)
    assert len(read(page([SHAPES[1]] * 3, found))[1]) == 3


@pytest.mark.hazard("R32")
@pytest.mark.parametrize(
    "broken",
    [
        "<Contents><Key>a</Key><ETag>e</ETag><Size></Size><LastModified>2026-11-21T06:33:15Z</LastModified></Contents>",
        "<Contents><Key>a</Key><ETag>e</ETag><Size>3</Size></Contents>",
        "<Contents><Key></Key><ETag>e</ETag><Size>3</Size><LastModified>2026-11-21T06:33:15Z</LastModified></Contents>",
        "<Contents><Key>a</Key><ETag>e</ETag><Size>3</Size><LastModified>noon</LastModified></Contents>",
        "<Contents><Key>a</Key><ETag>e</ETag><Size>3</Size><LastModified>2026-11-21T06:33:15Z</Last</Contents>",
        "</Contents><Contents>",
    ],
)
def test_an_object_that_lacks_something_damages_the_page(broken):
    with pytest.raises(DamagedError):
        read(f"<ListBucketResult><IsTruncated>false</IsTruncated>{broken}</ListBucketResult>")
