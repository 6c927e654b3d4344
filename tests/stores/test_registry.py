"""URLs find their adapters; nothing is imported that is not needed."""

from importlib.metadata import EntryPoint, EntryPoints
import subprocess
import sys

import pytest

from reconcile.core.errors import UsageError
from reconcile.stores import registry
from reconcile.stores.local import LocalStore
from reconcile.stores.memory import MemoryStore
from reconcile.stores.options import StoreOptions
from reconcile.stores.registry import open_store, scheme_of, supported


@pytest.mark.parametrize(
    ("url", "scheme"),
    [
        ("docs", "file"),
        ("./a:b", "file"),
        ("/abs/path", "file"),
        (r"C:\data", "file"),
        ("c:/data", "file"),
        ("file:///abs", "file"),
        ("S3://bucket/x", "s3"),
        ("memory://x", "memory"),
        ("dbfs:/x", "dbfs"),
    ],
)
def test_what_is_a_scheme(url, scheme):
    assert scheme_of(url) == scheme


def test_paths_and_file_urls_are_local(tmp_path):
    (tmp_path / "a b").mkdir()
    for url in (str(tmp_path / "a b"), (tmp_path / "a b").as_uri()):
        store = open_store(url, walk=lambda under: iter(()))
        assert isinstance(store, LocalStore)
        assert store.url == (tmp_path / "a b").as_uri()
        assert list(store.list()) == []


@pytest.mark.parametrize(
    ("url", "options"),
    [
        ("memory://", {}),
        ("memory://x", {"colour": "red"}),
        ("file://elsewhere/x", {}),
        ("/x", {"colour": "red"}),
        ("s4://bucket", {}),
        ("nonsense://x", {}),
    ],
)
def test_what_cannot_be_opened_is_refused(url, options):
    with pytest.raises(UsageError):
        open_store(url, options=options)


def test_a_slip_is_pointed_out():
    with pytest.raises(UsageError) as told:
        open_store("memroy://x")
    assert told.value.hint == "did you mean memory:?"


def test_a_local_store_without_a_walk_cannot_be_listed(tmp_path):
    with pytest.raises(UsageError):
        list(open_store(str(tmp_path)).list())


class PlugIn(MemoryStore):
    @classmethod
    def open(cls, url, options):
        store = cls()
        store.told = url, options
        return store


def test_a_plug_in_opens_its_scheme(monkeypatch):
    plugins = EntryPoints([EntryPoint("mine", f"{__name__}:PlugIn", registry.GROUP)])
    monkeypatch.setattr(registry, "_plugins", lambda: plugins)
    store = open_store("mine://x", options={"region": "here", "colour": "red"})
    url, options = store.told
    assert (url, options.region, options.extra) == ("mine://x", "here", {"colour": "red"})
    assert supported()["mine"].startswith("plug-in")


def test_an_adapter_without_its_library_says_so(monkeypatch):
    monkeypatch.setitem(registry._ADAPTERS, "lost", ("reconcile.stores.never_written:Store", "nothing"))
    with pytest.raises(UsageError, match="never_written"):
        open_store("lost://x")


@pytest.mark.hazard("S01")
def test_options_never_show_what_they_hold():
    options = StoreOptions.of({"password": "canary", "token": "canary"})
    assert "canary" not in f"{options} {options!r}"
    assert options.password == options.extra["token"] == "canary"


def test_local_and_memory_stores_import_no_library_of_others():
    heavy = {"boto3", "obstore", "networkx", "jsonschema", "rich", "yaml", "pathspec", "ctypes"}
    script = (
        "import sys; from reconcile.stores.registry import open_store, supported; supported();"
        "open_store('.'); open_store('memory://x'); print(*sys.modules)"
    )
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert heavy.isdisjoint(loaded)
