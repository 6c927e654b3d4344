"""The contract on real object servers."""

from typing import ClassVar

from msgspec.structs import replace
import pytest

from reconcile.core.entry import ABSENT
from reconcile.ports import Store
from reconcile.stores.objects.store import ObjectStore
from reconcile.stores.options import StoreOptions
from reconcile.testing import StoreContract
from reconcile.testing.samples import NAMES, body_of, listed, put
from tests.servers import Server, moto_s3, seaweed_s3  # noqa: F401 - fixtures


class _S3(StoreContract):
    """An answer to a PUT tells no time, so the entry of a write has none."""

    server: Server
    server_name: str

    @pytest.fixture(autouse=True)
    def _server(self, request):
        self.server = request.getfixturevalue(self.server_name)

    def test_the_version_told_is_the_version_shown(self, store):
        entry = store.write("a", body_of(b"1"), expect=ABSENT)
        assert replace(store.stat("a"), mtime_ns=0) == entry
        assert [listed.version for listed in store.list()] == [entry.version]

    def open(self) -> Store:
        return ObjectStore.open(self.server.prefix(), self.server.options())


class TestMoto(_S3):
    server_name = "moto_s3"

    @pytest.mark.parametrize("name", [name for name in NAMES if "\n" not in name])  # Moto finds no route to the others
    def test_a_name_is_kept_exactly_or_refused(self, store, name):
        super().test_a_name_is_kept_exactly_or_refused(store, name)


class TestSeaweed(_S3):
    """Keeps its objects in a tree: a directory is taken for an object of its name, until it is looked at."""

    server_name = "seaweed_s3"

    def test_a_listing_is_complete_and_in_its_promised_order(self, store):
        keys = ["x-b", "x.c", "x/a-b/c", "x/a/b", "x0", "é"]
        for key in keys:
            put(store, key, b"1")
        assert listed(store) == ["x/a/b", "x/a-b/c", "x-b", "x.c", "x0", "é"]
        assert store.traits.order == "none"
        put(store, "x/a", b"1")
        assert b"".join(store.read("x/a")) == b"1"


class _Shared(StoreContract):
    """What all object stores share, on the library's own memory."""

    url: str
    words: ClassVar[dict[str, str]] = {}

    def open(self):
        from obstore.store import MemoryStore

        return ObjectStore.open(self.url, StoreOptions(client=MemoryStore(), extra=self.words))

    def test_the_version_told_is_the_version_shown(self, store):
        entry = store.write("a", body_of(b"1"), expect=ABSENT)
        assert replace(store.stat("a"), mtime_ns=0) == entry


class TestAzure(_Shared):
    url = "az://container/prefix"
    words: ClassVar = {"account": "acme"}


class TestGoogle(_Shared):
    url = "gs://bucket/prefix"
