"""Uploads in parts and presigned URLs: undocumented calls, as the SDK (`databricks.sdk.mixins.files`) makes them."""

from hashlib import md5
from io import BytesIO

from databricks.sdk.errors import AlreadyExists, NotFound
import pytest
import requests

from tests.fakes.databricks import Emulator, Limits
from tests.fakes.databricks.faults import lose_after
from tests.fakes.emulator.conftest import VOLUME

MIB = 1 << 20
PART = 10 * MIB
FILE = f"{VOLUME}/big.bin"


@pytest.fixture
def post(client, emulator):
    """Asks without any help of the SDK."""

    def ask(path, said=None, **query):
        headers = client.config.authenticate()
        return requests.post(emulator.url + path, json=said, params=query, headers=headers, timeout=5)

    return ask


@pytest.fixture
def session(post):
    """An upload that was begun."""
    said = post(f"/api/2.0/fs/files{FILE}", action="initiate-upload").json()
    return said["multipart_upload"]["session_token"]


@pytest.fixture
def urls(post, session):
    """URLs of its parts."""

    def ask(first=1, many=1):
        said = {"path": FILE, "session_token": session, "start_part_number": first, "count": many}
        return post("/api/2.0/fs/create-upload-part-urls", said).json()["upload_part_urls"]

    return ask


@pytest.fixture
def complete(post, session):
    """Ends it."""

    def ask(*tags):
        said = {"parts": [{"part_number": number, "etag": tag} for number, tag in enumerate(tags, 1)]}
        query = {"action": "complete-upload", "upload_type": "multipart", "session_token": session}
        return post(f"/api/2.0/fs/files{FILE}", said, **query)

    return ask


def test_a_large_file_goes_up_in_parts_and_comes_down_by_a_url(client, emulator):
    """`FilesExt.upload` from 50 MiB: initiate, part URLs in batches, parts without a token, complete."""
    data = b"".join(bytes([number]) * MIB for number in range(55))
    client.files.upload(FILE, BytesIO(data))
    assert emulator.read(FILE) == data
    counts = emulator.log.counts()
    assert (counts["PUT /presigned"], counts["POST /api/2.0/fs/files"]) == (6, 2)
    assert not any(seen.authorized for seen in emulator.log.of(".*", "/presigned/"))
    assert client.files.download(FILE).contents.read() == data
    assert emulator.uploads.sessions == {}


def test_nothing_is_there_before_complete(client, emulator, urls, complete):
    """`_PresignedMultipartSession`: ETags of the parts are sent with complete-upload, in their order."""
    emulator.put(FILE, b"old")
    first, second = (each["url"] for each in urls(many=2))
    tags = [
        requests.put(url, data=data, timeout=5).headers["ETag"]
        for url, data in ((second, b"2"), (first, bytes(5 * MIB)))
    ]
    assert tags[0] == f'"{md5(b"2").hexdigest()}"'
    assert emulator.read(FILE) == b"old"
    assert complete(*reversed(tags)).status_code == 200
    assert emulator.read(FILE) == bytes(5 * MIB) + b"2"


def test_a_part_may_be_sent_again(emulator, urls, complete):
    (url,) = (each["url"] for each in urls())
    requests.put(url, data=b"first", timeout=5)
    tag = requests.put(url, data=b"again", timeout=5).headers["ETag"]
    assert complete(tag).status_code == 200
    assert emulator.read(FILE) == b"again"


def test_a_part_that_is_missing_or_another_one_is_refused(emulator, urls, complete):
    """As S3 does (InvalidPart)."""
    (url,) = (each["url"] for each in urls())
    requests.put(url, data=b"1", timeout=5)
    assert complete('"other"').status_code == complete().status_code == 400
    assert emulator.paths() == []


def test_parts_have_a_least_size_unless_last(emulator, urls, complete):
    """S3: EntityTooSmall under 5 MiB."""
    tags = [requests.put(each["url"], data=b"12", timeout=5).headers["ETag"] for each in urls(many=2)]
    assert complete(*tags).status_code == 400
    emulator.limits.part_bytes = 2
    assert complete(*tags).status_code == 200
    assert emulator.read(FILE) == b"1212"


def test_there_are_only_so_many_parts(post, session):
    """S3: part numbers up to 10,000."""
    said = {"path": FILE, "session_token": session, "start_part_number": 10_001, "count": 1}
    assert post("/api/2.0/fs/create-upload-part-urls", said).status_code == 400


def test_an_upload_that_is_done_is_not_found_again(urls, complete):
    """So a lost reply of complete-upload looks like a failure."""
    tags = [requests.put(each["url"], data=b"1", timeout=5).headers["ETag"] for each in urls()]
    assert [complete(*tags).status_code for _ in range(2)] == [200, 404]


def test_refusing_to_overwrite_fails_only_at_the_end(client, emulator):
    """Seen with `files.upload(overwrite=False)` of 60 MB: all parts were sent before complete-upload answered 409."""
    emulator.put(FILE, b"old")
    with pytest.raises(AlreadyExists):
        client.files.upload(FILE, BytesIO(bytes(60 * MIB)), overwrite=False)
    assert emulator.log.counts()["PUT /presigned"] == 6
    assert emulator.read(FILE) == b"old"


def test_an_upload_can_be_given_up(post, session, urls, emulator):
    """SDK 0.162: ?action=abort-upload; 0.156: create-abort-upload-url, then DELETE."""
    requests.put(urls()[0]["url"], data=b"1", timeout=5)
    said = post("/api/2.0/fs/create-abort-upload-url", {"path": FILE, "session_token": session}).json()
    assert requests.delete(said["abort_upload_url"]["url"], timeout=5).status_code == 204
    assert emulator.uploads.sessions == {}
    assert post(f"/api/2.0/fs/files{FILE}", action="abort-upload", session_token=session).status_code == 404
    again = post(f"/api/2.0/fs/files{FILE}", action="initiate-upload").json()["multipart_upload"]["session_token"]
    assert post(f"/api/2.0/fs/files{FILE}", action="abort-upload", session_token=again).status_code == 200


def test_the_storage_wants_no_token(client, urls):
    """S3: "Only one auth mechanism allowed". So a client that sends its token to the storage is found out."""
    url = urls()[0]["url"]
    assert requests.put(url, data=b"1", headers=client.config.authenticate(), timeout=5).status_code == 400
    assert requests.get(url, timeout=5).status_code == 403
    assert requests.put(url.replace("/presigned/", "/presigned/x"), data=b"1", timeout=5).status_code == 403


def test_urls_run_out(client, emulator, urls):
    """`FilesExt._is_url_expired_response`: AccessDenied, "Request has expired". The SDK asks for another one."""
    url = urls()[0]["url"]
    emulator.uploads.expire_urls()
    answer = requests.put(url, data=b"1", timeout=5)
    assert client.files._is_url_expired_response(answer)


def test_a_workspace_may_have_no_presigned_urls(client, emulator, post):
    """Public code quotes the answer: 403 PERMISSION_DENIED, FILES_API_API_IS_NOT_ENABLED. The SDK falls back."""
    emulator.habits.presigned_urls = False
    client.files.upload(FILE, BytesIO(bytes(51 * MIB)))
    assert client.files.download(FILE).contents.read() == bytes(51 * MIB)
    assert emulator.log.counts()["PUT /api/2.0/fs/files"] == 1
    said = post(f"/api/2.0/fs/files{FILE}", action="initiate-upload").json()
    assert said["details"][0]["reason"] == "FILES_API_API_IS_NOT_ENABLED"


def test_a_url_for_what_is_missing_is_not_made(client):
    with pytest.raises(NotFound):
        client.files.download(f"{VOLUME}/no")


def test_a_lost_reply_of_complete_leaves_the_file(emulator, urls, complete):
    tags = [requests.put(each["url"], data=b"1", timeout=5).headers["ETag"] for each in urls()]
    lost = emulator.faults.add(lose_after(), "POST", "/api/2.0/fs/files/")
    with pytest.raises(requests.ConnectionError):
        complete(*tags)
    assert lost.fired == 1
    assert emulator.read(FILE) == b"1"


def test_a_giant_is_kept_as_size_and_digest_only(tmp_path):
    """For measurements: what the emulator keeps is none of the client's memory, but it should fit the disk."""
    from databricks.sdk import WorkspaceClient

    with Emulator(keep_bytes=MIB, limits=Limits(part_bytes=1)) as emulator:
        emulator.put(f"{VOLUME}/small", b"1")
        client = WorkspaceClient(config=emulator.config())
        client.files.upload(FILE, BytesIO(bytes(50 * MIB)))
        content = emulator.file(FILE).content
        assert (content.size, len(content.sha256)) == (50 * MIB, 64)
        assert client.files.download(FILE).contents.read(10) == bytes(10)
