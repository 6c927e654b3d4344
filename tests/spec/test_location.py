"""What a text names as a place."""

from __future__ import annotations

import contextlib
from importlib.metadata import EntryPoint, EntryPoints
import os
import re

from hypothesis import given
from hypothesis import strategies as st
import pytest

from reconcile.core.errors import UsageError
from reconcile.spec.location import is_within, locate
from reconcile.spec.model import StoreSpec

STORES = {
    "lake": StoreSpec(name="lake", url="s3://acme/team/", settings={"endpoint": "http://127.0.0.1:9000/"}),
    "dbx": StoreSpec(name="dbx", url="dbfs:/", settings={"profile": "DEV"}),
    "pg": StoreSpec(name="pg", url="postgresql://loader@DB:5432/warehouse?sslmode=require"),
    "here": StoreSpec(name="here", url="./data"),
}


@pytest.mark.parametrize(
    ("text", "scheme", "url", "path"),
    [
        ("./docs/", "file", "file:///r/docs", "/r/docs"),
        ("docs/../x", "file", "file:///r/x", "/r/x"),
        ("/abs", "file", "file:///abs", "/abs"),
        ("file:///abs/a%20b", "file", "file:///abs/a b", "/abs/a b"),
        ("~/x", "file", "file://HOME/x", "HOME/x"),
        ("./~/x", "file", "file:///r/~/x", "/r/~/x"),
        (r"C:\x", "file", r"file:///r/C:\x", r"/r/C:\x"),
        ("./a:b", "file", "file:///r/a:b", "/r/a:b"),
        ("/Volumesque", "file", "file:///Volumesque", "/Volumesque"),
        ("s3://bucket", "s3", "s3://bucket", ""),
        ("s3://bucket/", "s3", "s3://bucket", ""),
        ("s3://bucket/a b/%2F#?+/", "s3", "s3://bucket/a b/%2F#?+", "a b/%2F#?+"),
        ("gs://b/x", "gs", "gs://b/x", "x"),
        ("az://container/x", "az", "az://container/x", "x"),
        ("dbfs:/", "dbfs", "dbfs:/", "/"),
        ("dbfs:/a/b/", "dbfs", "dbfs:/a/b", "/a/b"),
        ("dbfs:///a", "dbfs", "dbfs:/a", "/a"),
        ("dbfs:/Volumes/c/s/v/x", "volume", "/Volumes/c/s/v/x", "/Volumes/c/s/v/x"),
        ("/Volumes/c/s/v", "volume", "/Volumes/c/s/v", "/Volumes/c/s/v"),
        ("/Volumes/Main/Raw/Landing/In", "volume", "/Volumes/main/raw/landing/In", "/Volumes/main/raw/landing/In"),
        ("/Workspace/Users/me", "workspace", "/Workspace/Users/me", "/Workspace/Users/me"),
        ("workspace:/Users/me", "workspace", "/Workspace/Users/me", "/Workspace/Users/me"),
        ("workspace:/Workspace/Users/me", "workspace", "/Workspace/Users/me", "/Workspace/Users/me"),
        ("memory://trial/x", "memory", "memory://trial/x", "x"),
        ("sqlite:///rel.db", "sqlite", "sqlite:////r/rel.db", "/r/rel.db"),
        ("sqlite:////abs.db", "sqlite", "sqlite:////abs.db", "/abs.db"),
        ("duckdb:///d/x.duckdb", "duckdb", "duckdb:////r/d/x.duckdb", "/r/d/x.duckdb"),
        ("postgresql://me@Host:5433/db?sslmode=require", "postgresql", "postgresql://host:5433/db", "db"),
        ("postgresql://me@/db?host=/run/A", "postgresql", "postgresql://%2Frun%2FA/db", "db"),
        ("postgresql:///db?HOST=/run/A&port=5433", "postgresql", "postgresql://%2Frun%2FA:5433/db", "db"),
        ("postgresql://me@%2Frun%2FA/db", "postgresql", "postgresql://%2Frun%2FA/db", "db"),
        ("postgresql://Host/db?hostaddr=::1&port=5432", "postgresql", "postgresql://[::1]/db", "db"),
        ("postgresql://Host:5433/db?host=Other", "postgresql", "postgresql://other:5433/db", "db"),
        ("postgresql:///db?port=5433", "postgresql", "postgresql://localhost:5433/db", "db"),
        ("postgresql://me:@/db?host=/run/A", "postgresql", "postgresql://%2Frun%2FA/db", "db"),
        ("lake:docs/x/", "s3", "s3://acme/team/docs/x", "team/docs/x"),
        ("lake:/docs", "s3", "s3://acme/team/docs", "team/docs"),
        ("lake:", "s3", "s3://acme/team", "team"),
        ("dbx:FileStore/x", "dbfs", "dbfs:/FileStore/x", "/FileStore/x"),
        ("dbx:/Volumes/c/s/v", "volume", "/Volumes/c/s/v", "/Volumes/c/s/v"),
        ("pg:", "postgresql", "postgresql://db/warehouse", "warehouse"),
        ("pg", "postgresql", "postgresql://db/warehouse", "warehouse"),
        ("here:x", "file", "file:///r/data/x", "/r/data/x"),
    ],
)
def test_a_text_names_a_place(text, scheme, url, path):
    home = os.environ["HOME"]
    place = locate(text, STORES, "/r")
    assert (place.scheme, place.url, place.path) == (scheme, url.replace("HOME", home), path.replace("HOME", home))


@pytest.mark.parametrize(
    ("text", "url", "canonical", "settings"),
    [
        (
            "s3://b/p?endpoint=http://127.0.0.1:9014",
            "s3://b/p",
            "s3://b/p?endpoint=http://127.0.0.1:9014",
            {"endpoint": "http://127.0.0.1:9014"},
        ),
        (
            "s3://b/a?b/?region=eu-west-1&profile=dev%26co",
            "s3://b/a?b",
            "s3://b/a?b",
            {"region": "eu-west-1", "profile": "dev&co"},
        ),
        ("az://c/x?account=acme", "az://c/x", "az://c/x?account=acme", {"account": "acme"}),
        ("gs://b?endpoint=http://h/", "gs://b", "gs://b?endpoint=http://h", {"endpoint": "http://h/"}),
        ("dbfs:/x?host=adb-1.net", "dbfs:/x", "dbfs:/x?host=adb-1.net", {"host": "adb-1.net"}),
        ("/Volumes/c/s/v/x?profile=DEV", "/Volumes/c/s/v/x", "/Volumes/c/s/v/x?profile=DEV", {"profile": "DEV"}),
        ("workspace:/x?host=adb-1.net", "/Workspace/x", "/Workspace/x?host=adb-1.net", {"host": "adb-1.net"}),
    ],
)
def test_a_url_says_where_its_service_is(text, url, canonical, settings):
    place = locate(text, STORES, "/r")
    assert (place.url, place.canonical, place.store.settings) == (url, canonical, settings)
    assert place.connect in (url, f"{place.scheme}:{url}")
    if place.apart:
        assert locate(place.canonical, {}, "/r").canonical == canonical


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("s3://b/p?endpoint=", "`endpoint` says nothing"),
        ("s3://b/p?account=x", "`account` is not said"),
        ("s3://b/p?region=x&secret_access_key=x", "`secret_access_key` is not said"),
        ("s3://b/p?endpint=http://h//x", "`endpint` is not said"),
        ("s3://b/p?endpoint=http://me:pw@h", "credentials in a URL"),
        ("s3://b/p?secret_access_key=x", "`secret_access_key` is not said"),
        ("dbfs:/x?token=hush", "`token` is not said"),
        ("/Volumes/c/s/v/x?token=hush", "`token` is not said"),
        ("volume:/Volumes/c/s/v?token=hush", "`token` is not said"),
        ("/Workspace/x?host=h&Token=hush", "`Token` is not said"),
        ("dbfs:/x?host=me:pw@h", "credentials in a URL"),
        ("dbx:x?host=h", "takes no words"),
        ("lake:docs?endpoint=http://h", "takes no words"),
        ("said:docs", "takes no words"),
    ],
)
def test_what_a_url_does_not_say(text, why):
    stores = {**STORES, "said": StoreSpec(name="said", url="s3://b?region=x")}
    with pytest.raises(UsageError, match=re.escape(why)) as refusal:
        locate(text, stores, "/r")
    assert refusal.value.hint
    assert "hush" not in str(refusal.value)


def test_a_place_in_a_store_knows_its_connection_and_is_told_apart_by_it():
    place = locate("lake:docs", STORES, "/r")
    assert place.store is STORES["lake"]
    assert place.canonical == "s3://acme/team/docs?endpoint=http://127.0.0.1:9000"
    assert locate("dbx:x", STORES, "/r").canonical == "dbfs:/x?profile=DEV"
    assert locate("s3://acme/team/docs", STORES, "/r").canonical == "s3://acme/team/docs"
    assert locate("pg:", STORES, "/r").connect == "postgresql://loader@DB:5432/warehouse?sslmode=require"
    socket = locate("postgresql://me@/db?sslmode=a%20b&host=/run/A&options=-c%20x=y", STORES, "/r")
    assert socket.connect == "postgresql://me@%2Frun%2FA/db?sslmode=a%20b&options=-c%20x=y"


def test_a_plug_in_brings_its_scheme(monkeypatch):
    point = EntryPoint("sftp", "plugged:Store", "reconcile.stores")
    monkeypatch.setattr("importlib.metadata.entry_points", lambda **words: EntryPoints([point]).select(**words))
    assert locate("sftp://host/x", {}, "/r").scheme == "sftp"
    with pytest.raises(UsageError):
        locate("ftp://host/x", {}, "/r")


@pytest.mark.parametrize(
    ("inner", "outer", "inside"),
    [
        ("s3://b/x", "s3://b/x", True),
        ("s3://b/x/y", "s3://b/x", True),
        ("s3://b/x", "s3://b", True),
        ("s3://b/xy", "s3://b/x", False),
        ("s3://b/x", "gs://b/x", False),
        ("lake:x", "s3://acme/team", False),
        ("lake:x", "lake:", True),
        ("./a/b", "a/", True),
        ("a", "./a/b", False),
        ("sqlite:///a/w.db", "./a", True),
        ("memory://m/x", "memory://m", True),
        ("memory://n/x", "memory://m", False),
    ],
)
def test_what_lies_in_what(inner, outer, inside):
    assert is_within(locate(inner, STORES, "/r"), locate(outer, STORES, "/r")) is inside


def test_a_symlink_hides_no_nesting(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    assert is_within(locate("link/x", {}, str(tmp_path)), locate("real", {}, str(tmp_path)))


SEGMENT = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=5).filter(
    lambda text: text not in (".", "..")
)


@given(st.lists(SEGMENT, min_size=1, max_size=4).map("/".join))
def test_a_place_named_by_its_own_url_is_the_same_place(path):
    for text in (f"s3://bucket/{path}", f"lake:{path}", f"dbfs:/x/{path}", f"/Volumes/c/s/v/{path}", f"/x/{path}"):
        place = locate(text, STORES, "/r")
        again = locate(place.path if place.scheme == "file" else place.url, STORES, "/r")
        assert (again.url, again.path) == (place.url, place.path)


@given(st.text(max_size=30))
def test_any_text_is_a_place_or_a_usage_error(text):
    with contextlib.suppress(UsageError):
        assert locate(text, STORES, "/r").url


@pytest.mark.parametrize(
    "text", ["/Volumes/c/s/v/a b", "dbfs:/Volumes/c/s/v", "/Workspace/x", "workspace:/x", "dbfs:/x"]
)
def test_what_a_driver_is_given_names_the_same_place(text):
    place = locate(text, {}, "/r")
    again = locate(place.connect, {}, "/r")
    assert (again.scheme, again.url, again.path) == (place.scheme, place.url, place.path)


def test_a_volume_is_named_to_its_end():
    with pytest.raises(UsageError, match="not inside a volume"):
        locate("volume:/Workspace/x", {}, "/r")
