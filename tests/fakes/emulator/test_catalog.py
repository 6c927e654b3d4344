"""Unity Catalog as the SDK's docstrings, docs.databricks.com (sql/language-manual/sql-ref-names) and Databricks' own
fake (databricks/cli libs/testserver/volumes.go) describe it."""

from io import BytesIO

from databricks.sdk.errors import BadRequest, InvalidParameterValue, NotFound
from databricks.sdk.service.catalog import VolumeType
import pytest

from tests.fakes.databricks import Emulator


@pytest.fixture
def emulator():
    """A workspace with nothing in it."""
    with Emulator() as emulator:
        yield emulator


def volume(client, *name):
    return client.volumes.create(*name, VolumeType.MANAGED)


def test_catalog_schema_and_volume_come_in_this_order(client):
    """SDK docstrings of `create`: a volume needs its schema, a schema its catalog."""
    with pytest.raises(NotFound) as missing:
        volume(client, "main", "s", "v")
    assert missing.value.error_code == "CATALOG_DOES_NOT_EXIST"
    client.catalogs.create("main")
    with pytest.raises(NotFound) as missing:
        volume(client, "main", "s", "v")
    assert missing.value.error_code == "SCHEMA_DOES_NOT_EXIST"
    client.schemas.create("s", "main")
    made = volume(client, "main", "s", "v")
    assert (made.full_name, made.volume_type) == ("main.s.v", VolumeType.MANAGED)
    assert client.volumes.read("main.s.v").volume_id == made.volume_id
    assert [each.full_name for each in client.volumes.list("main", "s")] == ["main.s.v"]
    assert [each.full_name for each in client.schemas.list("main")] == ["main.s"]
    assert [each.name for each in client.catalogs.list()] == ["main"]
    client.files.upload("/Volumes/main/s/v/a", BytesIO(b"1"))


@pytest.mark.parametrize(
    ("ask", "code"),
    [
        (lambda client: client.volumes.read("main.s.no"), "VOLUME_DOES_NOT_EXIST"),
        (lambda client: client.volumes.read("main.no.v"), "SCHEMA_DOES_NOT_EXIST"),
        (lambda client: client.volumes.read("no.s.v"), "CATALOG_DOES_NOT_EXIST"),
        (lambda client: client.schemas.get("main.no"), "SCHEMA_DOES_NOT_EXIST"),
        (lambda client: client.schemas.get("no.s"), "CATALOG_DOES_NOT_EXIST"),
        (lambda client: client.catalogs.get("no"), "CATALOG_DOES_NOT_EXIST"),
        (lambda client: list(client.volumes.list("main", "no")), "SCHEMA_DOES_NOT_EXIST"),
        (lambda client: list(client.schemas.list("no")), "CATALOG_DOES_NOT_EXIST"),
    ],
)
def test_it_says_what_is_missing(client, emulator, ask, code):
    """CATALOG_DOES_NOT_EXIST with 404 is what the service answers; the others are formed likewise."""
    emulator.catalog.add("main", "s", "v")
    with pytest.raises(NotFound) as missing:
        ask(client)
    assert missing.value.error_code == code


def test_names_are_lower_case(client, emulator):
    """docs: "Unity Catalog stores all object names as lowercase"; so does libs/testserver/volumes.go."""
    emulator.catalog.add("main")
    client.schemas.create("Sales", "main")
    assert volume(client, "main", "Sales", "Landing").full_name == "main.sales.landing"
    client.files.upload("/Volumes/main/Sales/LANDING/A", BytesIO(b"1"))
    assert emulator.paths() == ["/Volumes/main/sales/landing/A"]


@pytest.mark.parametrize("name", ["a.b", "a b", "a/b", "a\tb", "a\x7f", "x" * 256, ""])
def test_names_that_are_refused(client, emulator, name):
    """docs: at most 255 characters; no period, space, slash, control characters."""
    emulator.catalog.add("main", "s")
    with pytest.raises(InvalidParameterValue):
        volume(client, "main", "s", name)


def test_what_is_there_already_is_refused(client, emulator):
    """databricks/bundle-examples pull 51 quotes "Schema 'x' already exists"."""
    emulator.catalog.add("main", "s", "v")
    for make, code in (
        (lambda: client.catalogs.create("main"), "CATALOG_ALREADY_EXISTS"),
        (lambda: client.schemas.create("s", "main"), "SCHEMA_ALREADY_EXISTS"),
        (lambda: volume(client, "main", "s", "V"), "VOLUME_ALREADY_EXISTS"),
    ):
        with pytest.raises(BadRequest) as refused:
            make()
        assert refused.value.error_code == code


def test_only_what_is_empty_is_deleted_unless_forced(client, emulator):
    """SDK docstrings of `schemas.delete` and `catalogs.delete`: force."""
    emulator.catalog.add("main", "s", "v")
    for refuse in (lambda: client.schemas.delete("main.s"), lambda: client.catalogs.delete("main")):
        with pytest.raises(BadRequest):
            refuse()
    client.volumes.delete("main.s.v")
    client.schemas.delete("main.s")
    emulator.catalog.add("main", "s", "v")
    client.catalogs.delete("main", force=True)
    assert list(client.catalogs.list()) == []
    with pytest.raises(NotFound):
        client.volumes.delete("main.s.v")


def test_a_volume_needs_its_kind(client, emulator):
    """libs/testserver/volumes.go: "CreateVolume Missing required field: volume_type"."""
    emulator.catalog.add("main", "s")
    said = {"catalog_name": "main", "schema_name": "s", "name": "v"}
    with pytest.raises(InvalidParameterValue, match="volume_type"):
        client.api_client.do("POST", "/api/2.1/unity-catalog/volumes", body=said)
