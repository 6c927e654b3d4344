"""DBFS as the SDK's docstrings (`databricks.sdk.service.files.DbfsAPI`, which are the reference at docs.databricks.com)
and the comments of Databricks' own command line tool describe it."""

from base64 import b64encode
from io import BytesIO

from databricks.sdk.errors import (
    BadRequest,
    DatabricksError,
    InvalidParameterValue,
    NotFound,
    PermissionDenied,
    ResourceAlreadyExists,
    ResourceDoesNotExist,
)
import pytest
import requests

from tests.fakes.databricks import Emulator, Habits, Limits

MIB = 1 << 20


def coded(data):
    return b64encode(data).decode()


def test_a_file_goes_up_in_blocks_and_comes_down_in_reads(client, emulator):
    """SDK docstring of `create`: create, add-block, close; the SDK's writer sends blocks of 1 MiB."""
    data = bytes(range(256)) * 10_000
    client.dbfs.upload("/a/b.bin", BytesIO(data))
    assert client.dbfs.download("/a/b.bin").read() == data == emulator.read("dbfs:/a/b.bin")
    assert emulator.log.counts()["POST /api/2.0/dbfs/add-block"] == 3
    assert emulator.dbfs.open_handles() == 0


def test_a_half_written_file_is_seen_by_everyone(client, emulator):
    """SDK docstring of `create`: a stream to a file, there from then on; what came stays if nobody closes it."""
    handle = client.dbfs.create("/half").handle
    client.dbfs.add_block(handle, coded(b"one"))
    assert client.dbfs.get_status("/half").file_size == 3
    assert emulator.read("dbfs:/half") == b"one"
    client.dbfs.add_block(handle, coded(b"two"))
    assert emulator.read("dbfs:/half") == b"onetwo"
    assert emulator.dbfs.open_handles() == 1


def test_overwriting_empties_the_file_at_once(client, emulator):
    """As above: `overwrite` opens the stream on the same path, so what was there is gone before the first block."""
    emulator.put("dbfs:/a", b"old")
    client.dbfs.create("/a", overwrite=True)
    assert emulator.read("dbfs:/a") == b""


def test_what_is_there_already_is_refused_with_400(client, emulator):
    """SDK docstring of `create`: RESOURCE_ALREADY_EXISTS; 400 by databricks/cli libs/filer/dbfs_client.go."""
    emulator.put("dbfs:/a/b", b"old")
    for path in ("/a/b", "/a"):
        with pytest.raises(ResourceAlreadyExists):
            client.dbfs.create(path)
        with pytest.raises(ResourceAlreadyExists):
            client.dbfs.put(path, contents=coded(b"new"))
    client.dbfs.put("/a/b", contents=coded(b"new"), overwrite=True)
    assert emulator.read("dbfs:/a/b") == b"new"
    assert {seen.status for seen in emulator.log.of("POST", "/api/2.0/dbfs/")} == {400, 200}


def test_a_block_and_a_put_take_one_mebibyte(client, emulator):
    """SDK docstrings of `add_block` and `put`: MAX_BLOCK_SIZE_EXCEEDED beyond 1 MB; the SDK itself sends 1 MiB."""
    client.dbfs.put("/full", contents=coded(bytes(MIB)))
    assert emulator.file("dbfs:/full").content.size == MIB
    handle = client.dbfs.create("/b").handle
    for send in (
        lambda data: client.dbfs.put("/more", contents=data),
        lambda data: client.dbfs.add_block(handle, data),
    ):
        with pytest.raises(DatabricksError) as refused:
            send(coded(bytes(MIB + 1)))
        assert refused.value.error_code == "MAX_BLOCK_SIZE_EXCEEDED"
    assert emulator.read("dbfs:/b") == b""


def test_a_put_may_come_as_a_form(client, emulator):
    """SDK docstring of `put`: a multipart form post; so does databricks/cli libs/filer/dbfs_client.go."""
    data = b"\r\n--x\x00\xff\r\n"
    fields = {"path": (None, "/form"), "overwrite": (None, "True"), "contents": ("", data)}
    client.api_client.do("POST", "/api/2.0/dbfs/put", files=fields)
    assert emulator.read("dbfs:/form") == data


def test_a_handle_that_is_idle_for_ten_minutes_is_gone():
    """SDK docstring of `create`: a 10 minute idle timeout; of `add_block` and `close`: RESOURCE_DOES_NOT_EXIST."""
    from databricks.sdk import WorkspaceClient

    now = [1_700_000_000.0]
    with Emulator(clock=lambda: now[0]) as emulator:
        client = WorkspaceClient(config=emulator.config())
        handle = client.dbfs.create("/a").handle
        now[0] += 599
        client.dbfs.add_block(handle, coded(b"1"))
        assert client.dbfs.get_status("/a").modification_time == 1_700_000_599_000
        now[0] += 601
        for use in (lambda: client.dbfs.add_block(handle, coded(b"2")), lambda: client.dbfs.close(handle)):
            with pytest.raises(ResourceDoesNotExist):
                use()
        assert emulator.read("dbfs:/a") == b"1"


def test_what_is_missing_is_404(client):
    """SDK docstrings: RESOURCE_DOES_NOT_EXIST; 404 by databricks/cli libs/filer/dbfs_client.go."""
    for ask in (client.dbfs.get_status, lambda path: list(client.dbfs._dbfs_api.list(path)), client.dbfs.read):
        with pytest.raises(ResourceDoesNotExist):
            ask("/nothing")


def test_a_listing_is_one_directory_without_an_order(client, emulator):
    """SDK docstring of `list`: the contents of a directory, or details of the file. No order is promised, so none is
    given; no page either."""
    for name in "abcdefgh":
        emulator.put(f"dbfs:/dir/{name}", b"12")
    emulator.put("dbfs:/dir/sub/below")
    listed = list(client.dbfs._dbfs_api.list("/dir"))
    assert sorted(each.path for each in listed) == [*(f"/dir/{name}" for name in "abcdefgh"), "/dir/sub"]
    assert [each.path for each in listed] != sorted(each.path for each in listed)
    assert {(each.is_dir, each.file_size) for each in listed} == {(False, 2), (True, 0)}
    assert [each.path for each in client.dbfs._dbfs_api.list("/dir/a")] == ["/dir/a"]
    client.dbfs.mkdirs("/empty")
    assert list(client.dbfs._dbfs_api.list("/empty")) == []


def test_a_listing_is_in_order_where_that_is_asked_for():
    with Emulator(habits=Habits(sorted_listings=True)) as emulator:
        for name in "hgfedcba":
            emulator.put(f"dbfs:/{name}")
        from databricks.sdk import WorkspaceClient

        listed = WorkspaceClient(config=emulator.config()).dbfs._dbfs_api.list("/")
        assert [each.path for each in listed] == [f"/{name}" for name in "abcdefgh"]


def test_a_great_directory_times_out(client, emulator):
    """SDK docstring of `list`: about 60 seconds, and advice to stay below 10,000 files. Here the limit is told."""
    emulator.limits.dbfs_list_entries = 2
    for name in "abc":
        emulator.put(f"dbfs:/{name}")
    with pytest.raises(DatabricksError) as refused:
        list(client.dbfs._dbfs_api.list("/"))
    assert emulator.log.all[-1].status == 504, refused.value


@pytest.mark.parametrize(
    ("offset", "length", "read"),
    [(0, 3, b"012"), (8, 100, b"89"), (10, 1, b""), (99, 5, b""), (None, None, b"0123456789")],
)
def test_a_read_ends_with_the_file(client, emulator, offset, length, read):
    """SDK docstring of `read`: until the end of the file."""
    emulator.put("dbfs:/a", b"0123456789")
    said = client.dbfs.read("/a", offset=offset, length=length)
    assert (said.bytes_read, said.data) == (len(read), coded(read))


def test_reads_that_cannot_be(client, emulator):
    """SDK docstring of `read`: INVALID_PARAMETER_VALUE, MAX_READ_SIZE_EXCEEDED over 1 MB."""
    emulator.put("dbfs:/dir/a")
    for wrong in ({"path": "/dir"}, {"path": "/dir/a", "offset": -1}, {"path": "/dir/a", "length": -1}):
        with pytest.raises(InvalidParameterValue):
            client.dbfs.read(**wrong)
    with pytest.raises(BadRequest) as refused:
        client.dbfs.read("/dir/a", length=MIB + 1)
    assert refused.value.error_code == "MAX_READ_SIZE_EXCEEDED"


def test_a_move_never_replaces(client, emulator):
    """SDK docstring of `move`: RESOURCE_DOES_NOT_EXIST, RESOURCE_ALREADY_EXISTS, directories with all they hold."""
    emulator.put("dbfs:/a", b"a")
    emulator.put("dbfs:/b", b"b")
    emulator.put("dbfs:/dir/sub/c", b"c")
    with pytest.raises(ResourceAlreadyExists):
        client.dbfs.move("/a", "/b")
    with pytest.raises(ResourceDoesNotExist):
        client.dbfs.move("/nothing", "/c")
    with pytest.raises(NotFound):
        client.dbfs.move("/a", "/no/such/directory")
    client.dbfs.move("/a", "/dir/a")
    client.dbfs.move("/dir", "/moved")
    assert emulator.tree() == {"dbfs:/b": b"b", "dbfs:/moved/a": b"a", "dbfs:/moved/sub/c": b"c"}


def test_a_move_keeps_the_time():
    """Not documented: a rename in the storage below."""
    now = [1_700_000_000.0]
    with Emulator(clock=lambda: now[0]) as emulator:
        emulator.put("dbfs:/a")
        now[0] += 60
        from databricks.sdk import WorkspaceClient

        client = WorkspaceClient(config=emulator.config())
        client.dbfs.move("/a", "/b")
        assert client.dbfs.get_status("/b").modification_time == 1_700_000_000_000


def test_mkdirs_makes_all_and_says_when_a_file_stands_there(client, emulator):
    """SDK docstring of `mkdirs`: RESOURCE_ALREADY_EXISTS where a file is at any prefix of the path."""
    client.dbfs.mkdirs("/x/y/z")
    client.dbfs.mkdirs("/x/y/z")
    assert client.dbfs.get_status("/x/y/z").is_dir
    emulator.put("dbfs:/file")
    for path in ("/file", "/file/below"):
        with pytest.raises(ResourceAlreadyExists):
            client.dbfs.mkdirs(path)
    with pytest.raises(BadRequest) as refused:
        client.dbfs.create("/file/below")
    assert refused.value.error_code == "IO_ERROR"


def test_a_directory_that_holds_something_is_deleted_only_if_told(client, emulator):
    """SDK docstring of `delete`: IO_ERROR; 400 by databricks/cli libs/filer/dbfs_client.go."""
    emulator.put("dbfs:/dir/a")
    with pytest.raises(BadRequest) as refused:
        client.dbfs._dbfs_api.delete("/dir")
    assert refused.value.error_code == "IO_ERROR"
    client.dbfs._dbfs_api.delete("/dir", recursive=True)
    assert emulator.tree() == {}


def test_what_is_not_there_is_deleted_already(client):
    """databricks/cli libs/filer/dbfs_client.go, `Delete`: "delete succeeds if the specified path doesn't exist"."""
    client.dbfs._dbfs_api.delete("/nothing")


def test_many_files_are_deleted_in_several_calls(client, emulator):
    """SDK docstring of `delete`: in increments, 503 asks to call again; PARTIAL_DELETE is its code in the reference."""
    emulator.limits.dbfs_delete_files = 2
    for name in "abcde":
        emulator.put(f"dbfs:/dir/{name}")
    asked = {"json": {"path": "/dir", "recursive": True}, "headers": client.config.authenticate(), "timeout": 5}
    answers = [requests.post(f"{emulator.url}/api/2.0/dbfs/delete", **asked) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [503, 503, 200]
    assert answers[0].json()["error_code"] == "PARTIAL_DELETE"
    assert emulator.paths() == []


@pytest.mark.parametrize("path", ["relative", "", "/a/../b", "/./a"])
def test_paths_that_cannot_be(client, path):
    """SDK docstrings: "the path should be the absolute DBFS path"."""
    with pytest.raises(InvalidParameterValue):
        client.dbfs.get_status(path)


def test_volumes_are_not_for_dbfs(client):
    """databricks/databricks-sdk-py issue 571: 403 "No operations allowed on this path"."""
    for ask in (client.dbfs.get_status, client.dbfs._dbfs_api.list, client.dbfs.create):
        with pytest.raises(PermissionDenied, match="No operations allowed on this path"):
            ask("/Volumes/main/default/landing/a")


def test_the_scheme_may_stand_in_front(client, emulator):
    """The reference writes paths both ways; answers have no scheme."""
    emulator.put("dbfs:/a")
    assert client.dbfs.get_status("dbfs:/a").path == "/a"


def test_the_limits_are_those_of_the_service_unless_told():
    limits = Limits()
    assert (limits.dbfs_block_bytes, limits.dbfs_read_bytes, limits.dbfs_handle_idle_s) == (MIB, MIB, 600)
