"""The Files API 2.0 as the SDK's docstrings (`databricks.sdk.service.files.FilesAPI`), the pages below
docs.databricks.com/volumes/files-api and the sources named describe it."""

from email.utils import parsedate_to_datetime
from io import BytesIO
from urllib.parse import quote

from databricks.sdk.errors import AlreadyExists, BadRequest, DatabricksError, NotFound, ResourceConflict
import pytest
import requests

from tests.fakes.databricks import Emulator, Habits
from tests.fakes.databricks.faults import lose_midway
from tests.fakes.emulator.conftest import VOLUME


def reason(error):
    """What the details of an error say."""
    info = error.get_error_details().error_info
    return info.reason if info else None


def listed(client, path, **how):
    return sorted(each.path for each in client.files.list_directory_contents(path, **how))


@pytest.mark.parametrize("data", [b"", b"hello", bytes(range(256)) * 9000])
def test_a_file_goes_up_in_one_request(client, emulator, data):
    """SDK docstring of `upload`: exactly the bytes sent in the body; 204 without a body."""
    client.files.upload(f"{VOLUME}/a/b.bin", BytesIO(data))
    assert emulator.read(f"{VOLUME}/a/b.bin") == data
    (seen,) = emulator.log.of("PUT")
    assert (seen.status, seen.bytes_in, seen.bytes_out) == (204, len(data), 0)
    assert client.files.download(f"{VOLUME}/a/b.bin").contents.read() == data


@pytest.mark.parametrize("name", ["ä ö", "100%", "x%41", "a+b", "a?b#c&d=e", "line\nbreak", "\u202e", "'\";`$"])
def test_names_come_through_as_they_are(client, emulator, name):
    """SDK: path parameters are percent-encoded segment by segment."""
    client.files.upload(f"{VOLUME}/{name}/{name}", BytesIO(b"1"))
    assert emulator.paths() == [f"{VOLUME}/{name}/{name}"]
    assert listed(client, f"{VOLUME}/{name}") == [f"{VOLUME}/{name}/{name}"]
    assert client.files.download(f"{VOLUME}/{name}/{name}").contents.read() == b"1"


def test_overwrite_is_the_default_and_can_be_refused(client, emulator):
    """SDK docstring of `upload`: true or unspecified overwrites, false is an error; 409 ALREADY_EXISTS by
    databricks/cli libs/filer/files_client.go."""
    for data in (b"one", b"two"):
        client.files.upload(f"{VOLUME}/a", BytesIO(data))
    with pytest.raises(AlreadyExists):
        client.files.upload(f"{VOLUME}/a", BytesIO(b"three"), overwrite=False)
    assert emulator.read(f"{VOLUME}/a") == b"two"
    assert emulator.log.all[-1].status == 409


def test_a_file_that_is_cut_on_its_way_is_not_there(client, emulator):
    """HTTP: a body shorter than its Content-Length is no request. The old file stays."""
    emulator.put(f"{VOLUME}/a", b"old")
    cut = emulator.faults.add(lose_midway(1000), "PUT", times=2)
    with pytest.raises(requests.ConnectionError):
        requests.put(f"{emulator.url}/api/2.0/fs/files{VOLUME}/a", data=bytes(5000), headers=auth(client), timeout=5)
    with pytest.raises(requests.ConnectionError):
        requests.put(f"{emulator.url}/api/2.0/fs/files{VOLUME}/b", data=bytes(5000), headers=auth(client), timeout=5)
    assert cut.fired == 2
    assert emulator.tree() == {f"{VOLUME}/a": b"old"}


def auth(client):
    return client.config.authenticate()


def test_the_metadata_are_size_and_whole_seconds():
    """SDK docstring of `get_metadata`: headers only; HTTP dates have whole seconds, a listing milliseconds."""
    from databricks.sdk import WorkspaceClient

    with Emulator(clock=lambda: 1_700_000_000.789) as emulator:
        client = WorkspaceClient(config=emulator.config())
        emulator.put(f"{VOLUME}/a", b"12345")
        said = client.files.get_metadata(f"{VOLUME}/a")
        assert said.content_length == 5
        assert parsedate_to_datetime(said.last_modified).timestamp() == 1_700_000_000
        (entry,) = client.files.list_directory_contents(VOLUME)
        assert (entry.last_modified, entry.file_size, entry.is_directory) == (1_700_000_000_789, 5, False)


@pytest.mark.parametrize(
    ("span", "status", "data"),
    [("bytes=2-4", 206, b"234"), ("bytes=7-", 206, b"789"), ("bytes=8-99", 206, b"89"), ("bytes=10-", 416, None)],
)
def test_a_range_of_a_file(client, emulator, span, status, data):
    """SDK docstring of `download`: it supports the Range header."""
    emulator.put(f"{VOLUME}/a", b"0123456789")
    answer = requests.get(
        f"{emulator.url}/api/2.0/fs/files{VOLUME}/a", headers=auth(client) | {"Range": span}, timeout=5
    )
    assert answer.status_code == status
    if data is not None:
        assert answer.content == data
        assert answer.headers["content-range"].endswith("/10")


def test_a_file_that_changed_is_refused_if_asked(client, emulator):
    """SDK docstring of `download`: it supports If-Unmodified-Since; docs: volumes/files-api/versions, the only
    condition of 2.0."""
    emulator.put(f"{VOLUME}/a", b"1")
    headers = auth(client) | {"If-Unmodified-Since": "Thu, 01 Jan 2015 00:00:00 GMT", "If-None-Match": "*"}
    url = f"{emulator.url}/api/2.0/fs/files{VOLUME}/a"
    assert requests.get(url, headers=headers, timeout=5).status_code == 412
    assert requests.put(url, headers=headers, data=b"2", timeout=5).status_code == 204, "no condition on writes"


def test_what_is_missing_is_404_and_a_head_says_no_more(client, emulator):
    """SDK docstrings; the reasons by databricks/cli libs/filer/files_client_test.go (FILES_API_DIRECTORY_IS_NOT_FOUND).
    HTTP: an answer to HEAD has no body, so it cannot tell a missing file from a missing volume."""
    with pytest.raises(NotFound) as missing:
        listed(client, f"{VOLUME}/no")
    assert reason(missing.value) == "FILES_API_DIRECTORY_IS_NOT_FOUND"
    for path in (f"{VOLUME}/no", "/Volumes/main/default/no/a"):
        for ask in (client.files.get_metadata, client.files.get_directory_metadata):
            with pytest.raises(NotFound) as missing:
                ask(path)
            assert (missing.value.error_code, str(missing.value)) == (None, "Not Found")
    with pytest.raises(NotFound):
        client.files.delete(f"{VOLUME}/no")
    assert emulator.log.all[-1].status == 404


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/Volumes/main/default/no", "VOLUME_DOES_NOT_EXIST"),
        ("/Volumes/main/no/landing", "SCHEMA_DOES_NOT_EXIST"),
        ("/Volumes/no/default/landing", "CATALOG_DOES_NOT_EXIST"),
    ],
)
def test_what_has_no_body_to_say_it_says_which_part_of_the_volume_is_missing(client, path, code):
    """CATALOG_DOES_NOT_EXIST is what Unity Catalog answers; the other two are formed likewise."""
    for ask in (
        lambda: listed(client, path),
        lambda: client.files.upload(f"{path}/a", BytesIO(b"1")),
        lambda: client.files.create_directory(f"{path}/a"),
    ):
        with pytest.raises(NotFound) as missing:
            ask()
        assert missing.value.error_code == code


def test_directories_come_with_their_parents_and_go_when_empty(client, emulator):
    """SDK docstrings of `create_directory`, `delete_directory`; FILES_API_DIRECTORY_IS_NOT_EMPTY with 400 by
    databricks/cli libs/filer/files_client.go."""
    client.files.create_directory(f"{VOLUME}/x/y/z")
    client.files.create_directory(f"{VOLUME}/x/y/z")
    client.files.get_directory_metadata(f"{VOLUME}/x/y/z")
    with pytest.raises(BadRequest) as refused:
        client.files.delete_directory(f"{VOLUME}/x")
    assert reason(refused.value) == "FILES_API_DIRECTORY_IS_NOT_EMPTY"
    for path in ("x/y/z", "x/y", "x"):
        client.files.delete_directory(f"{VOLUME}/{path}")
    with pytest.raises(NotFound) as missing:
        client.files.delete_directory(f"{VOLUME}/x")
    assert reason(missing.value) == "FILES_API_DIRECTORY_IS_NOT_FOUND"
    assert listed(client, VOLUME) == []


def test_a_file_and_a_directory_do_not_share_a_path(client, emulator):
    """409 by databricks/cli libs/filer/files_client_test.go, TestFilesClientMkdirWhenFileExists."""
    emulator.put(f"{VOLUME}/file")
    emulator.put(f"{VOLUME}/dir/a")
    for make in (
        lambda: client.files.create_directory(f"{VOLUME}/file"),
        lambda: client.files.create_directory(f"{VOLUME}/file/below"),
        lambda: client.files.upload(f"{VOLUME}/file/below", BytesIO(b"1")),
        lambda: client.files.upload(f"{VOLUME}/dir", BytesIO(b"1")),
    ):
        with pytest.raises(ResourceConflict):
            make()
    for ask in (client.files.get_metadata, client.files.delete):
        with pytest.raises(NotFound):
            ask(f"{VOLUME}/dir")
    with pytest.raises(NotFound):
        listed(client, f"{VOLUME}/file")
    assert emulator.paths() == [f"{VOLUME}/dir/a", f"{VOLUME}/file"]


def test_a_listing_comes_in_pages(client, emulator):
    """SDK docstring of `list_directory_contents`: at most 1000 a page, more are coerced; go on until there is no token;
    not recursive."""
    for number in range(1203):
        emulator.put(f"{VOLUME}/dir/{number}")
    emulator.put(f"{VOLUME}/dir/sub/below")
    names = listed(client, f"{VOLUME}/dir", page_size=5000)
    assert names == sorted([*(f"{VOLUME}/dir/{number}" for number in range(1203)), f"{VOLUME}/dir/sub"])
    assert emulator.log.counts()["GET /api/2.0/fs/directories"] == 2
    client.files.create_directory(f"{VOLUME}/empty")
    assert listed(client, f"{VOLUME}/empty") == []


def test_a_page_goes_on_behind_the_last_even_if_that_is_gone(client, emulator):
    """The token is opaque; here it names the last entry, so a change between pages loses or doubles no other one."""
    emulator.habits.sorted_listings = True
    for name in "abcdef":
        emulator.put(f"{VOLUME}/{name}")
    pages = client.files.list_directory_contents(VOLUME, page_size=2)
    seen = [next(pages).name, next(pages).name]
    emulator.remove(f"{VOLUME}/b")
    assert seen + [each.name for each in pages] == ["a", "b", "c", "d", "e", "f"]


def test_a_token_of_another_directory_is_refused(client, emulator):
    """SDK docstring: all other parameters must match the previous request."""
    for name in "abc":
        emulator.put(f"{VOLUME}/{name}")
    url = f"{emulator.url}/api/2.0/fs/directories"
    asked = {"headers": auth(client), "timeout": 5}
    token = requests.get(f"{url}{VOLUME}?page_size=1", **asked).json()["next_page_token"]
    client.files.create_directory(f"{VOLUME}/other")
    for path, told in ((f"{VOLUME}/other", token), (VOLUME, "nonsense")):
        answer = requests.get(f"{url}{path}?page_token={quote(told)}", **asked)
        assert (answer.status_code, answer.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE")


def test_directories_that_were_only_implied_vanish_where_that_is_so(client, emulator):
    """databricks/cli libs/filer/files_client_test.go: an implicit directory on Google Cloud goes with its child."""
    emulator.habits.implicit_directories_vanish = True
    client.files.create_directory(f"{VOLUME}/kept")
    for path in ("kept/a", "implied/below/a"):
        client.files.upload(f"{VOLUME}/{path}", BytesIO(b"1"))
        client.files.delete(f"{VOLUME}/{path}")
    assert listed(client, VOLUME) == [f"{VOLUME}/kept"]


def test_the_root_of_an_empty_volume_is_missing_where_that_is_so(client, emulator):
    """databricks/cli issue 5834: HEAD on the directory of an empty volume answers 404 although the volume is there."""
    client.files.get_directory_metadata(VOLUME)
    emulator.habits.empty_roots_are_missing = True
    with pytest.raises(NotFound):
        client.files.get_directory_metadata(VOLUME)
    assert client.volumes.read("main.default.landing").name == "landing"
    client.files.upload(f"{VOLUME}/a", BytesIO(b"1"))
    client.files.get_directory_metadata(VOLUME)


@pytest.mark.parametrize("path", ["/Volumes/main", "/Volumes/main/default", "/Workspace/a", "/a"])
def test_paths_that_are_in_no_volume(client, path):
    """BAD_REQUEST, FILES_API_INVALID_PATH, "unsupported first path component: Workspace": seen on the service and
    quoted in public code."""
    with pytest.raises(DatabricksError) as refused:
        listed(client, path)
    assert (refused.value.error_code, reason(refused.value)) == ("BAD_REQUEST", "FILES_API_INVALID_PATH")


@pytest.mark.parametrize("name", ["x" * 256, "ä" * 128, "nul%00", "%ff"])
def test_names_that_are_refused(client, emulator, name):
    """Not documented for volumes; the storage below takes no NUL, no bytes that are not UTF-8, no longer names."""
    url = f"{emulator.url}/api/2.0/fs/files{VOLUME}/{name}"
    answer = requests.put(url, data=b"1", headers=auth(client), timeout=5)
    assert (answer.status_code, answer.json()["details"][0]["reason"]) == (400, "FILES_API_INVALID_PATH")


def test_a_body_over_the_limit_is_refused_before_it_is_read(client, emulator):
    """SDK docstring of `upload`: up to 5 GiB; SDK source: "rejects a request body over 5 GiB"."""
    assert emulator.limits.files_put_bytes == 5 << 30
    emulator.limits.files_put_bytes = 10
    client.files.upload(f"{VOLUME}/fits", BytesIO(bytes(10)))
    url = f"{emulator.url}/api/2.0/fs/files{VOLUME}/large"
    for body in (bytes(11), (bytes(6) for _ in range(2))):
        assert requests.put(url, data=body, headers=auth(client), timeout=5).status_code == 413
    assert emulator.paths() == [f"{VOLUME}/fits"]


def test_every_answer_tells_its_date_by_the_emulators_clock(client, emulator):
    """RFC 9110, 6.6.1."""
    for path in (VOLUME, f"{VOLUME}/no"):
        answer = requests.get(f"{emulator.url}/api/2.0/fs/directories{path}", headers=auth(client), timeout=5)
        told = parsedate_to_datetime(answer.headers["date"]).timestamp()
        assert abs(told - emulator.clock()) < 2


def test_the_habits_are_the_documented_ones_unless_told():
    assert Habits() == Habits(sorted_listings=False, presigned_urls=True)
