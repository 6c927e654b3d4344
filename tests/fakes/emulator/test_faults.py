"""Every fault strikes where it should, only there, and is counted."""

from io import BytesIO
import time

from databricks.sdk.errors import DatabricksError, InternalError
import pytest
import requests

from tests.fakes.databricks import Emulator, faults
from tests.fakes.emulator.conftest import VOLUME

FILES = "/api/2.0/fs/files"
DIRECTORIES = "/api/2.0/fs/directories"


@pytest.fixture
def ask(client, emulator):
    """A request without any help of the SDK; None if the connection breaks."""

    def ask(method, path, **how):
        how = {"headers": client.config.authenticate(), "timeout": 5} | how
        try:
            return requests.request(method, emulator.url + path, **how)
        except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError):
            return None

    return ask


@pytest.fixture
def put(ask):
    """Sends a file to the volume."""
    return lambda name, data=b"data", **how: ask("PUT", f"{FILES}{VOLUME}/{name}", data=data, **how)


def test_a_fault_strikes_the_nth_match_and_so_many_more(emulator, put):
    fault = emulator.faults.add(faults.refuse(500), "PUT", f"{FILES}{VOLUME}/x", nth=2, times=2)
    assert [put(name).status_code for name in ("x1", "y", "x2", "x3", "x4")] == [204, 204, 500, 500, 204]
    assert (fault.seen, fault.fired) == (4, 2)
    assert [seen.fault for seen in emulator.log.of("PUT")] == [False, False, True, True, False]


def test_a_fault_for_ever_goes_when_healed(emulator, put):
    fault = emulator.faults.add(faults.refuse(500), times=None)
    assert {put("a").status_code for _ in range(5)} == {500}
    emulator.faults.heal()
    assert put("a").status_code == 204
    assert fault.fired == 5


def test_a_fault_may_know_what_a_request_is_about(client, emulator, ask):
    fault = emulator.faults.add(faults.refuse(403, "PERMISSION_DENIED"), about="^/secret", times=None)
    client.dbfs.put("/open", contents="MQ==")
    assert ask("POST", "/api/2.0/dbfs/put", json={"path": "/secret/a"}).status_code == 403
    assert (
        ask("POST", "/api/2.0/dbfs/move", json={"source_path": "/a", "destination_path": "/secret"}).status_code == 403
    )
    assert ask("GET", "/api/2.0/dbfs/get-status?path=/secret").status_code == 403
    assert client.dbfs.get_status("/open").file_size == 1
    assert fault.fired == 3


def test_busy_tells_when_to_come_again(client, emulator, put):
    """SDK: 429 and 503 are tried again after Retry-After."""
    storm = emulator.faults.add(faults.busy(503, retry_after="7"))
    answer = put("a")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "7")
    silent = emulator.faults.add(faults.busy(retry_after=None))
    answer = put("a")
    assert (answer.status_code, "Retry-After" in answer.headers) == (429, False)
    again = emulator.faults.add(faults.busy())
    client.files.upload(f"{VOLUME}/a", BytesIO(b"1"))
    assert (storm.fired, silent.fired, again.fired) == (1, 1, 1)
    assert emulator.read(f"{VOLUME}/a") == b"1"


def test_a_storm_lasts_until_its_time(emulator, put):
    storm = emulator.faults.add(faults.busy_until(time.monotonic() + 0.2), times=None)
    assert put("a").status_code == 429
    time.sleep(0.25)
    assert put("a").status_code == 204
    assert storm.fired == 2


def test_too_many_requests_in_a_second_are_refused(emulator, put):
    emulator.limits.requests_a_second = 5
    time.sleep(1.01 - time.monotonic() % 1)
    assert [put("a").status_code for _ in range(8)] == [204] * 5 + [429] * 3


@pytest.mark.parametrize(
    ("act", "status", "kept"),
    [
        (faults.lose_before(), None, None),
        (faults.lose_midway(1), None, None),
        (faults.refuse(504, "DEADLINE_EXCEEDED"), 504, None),
        (faults.html(), 200, None),
        (faults.html(502), 502, None),
        (faults.lose_after(), None, b"data"),
        (faults.fail_after(), 500, b"data"),
        (faults.fail_after(503, "TEMPORARILY_UNAVAILABLE"), 503, b"data"),
        (faults.delay(0.05), 204, b"data"),
        (faults.keep(lambda data: data[:2]), 204, b"da"),
        (faults.keep(lambda data: b""), 204, b""),
        (faults.keep(lambda data: b"D" + data[1:]), 204, b"Data"),
    ],
)
def test_what_a_write_leaves_and_says(emulator, put, act, status, kept):
    fault = emulator.faults.add(act, "PUT")
    answer = put("a")
    assert (answer.status_code if answer is not None else None) == status
    assert emulator.tree().get(f"{VOLUME}/a") == kept
    assert fault.fired == 1
    assert put("b").status_code == 204, "the next one is served"
    (struck, after) = emulator.log.of("PUT")
    assert (struck.status, after.status) == (status or 0, 204)


def test_other_bytes_are_kept_of_json_too(client, emulator):
    kept = emulator.faults.add(faults.keep(lambda data: data[:1]), "POST", times=None)
    client.dbfs.put("/put", contents="MTIz")
    handle = client.dbfs.create("/blocks").handle
    client.dbfs.add_block(handle, "MTIz")
    client.workspace.import_("/Shared/a.txt", content="MTIz", format=_auto())
    assert set(emulator.tree().values()) == {b"1"}
    assert len(emulator.paths()) == 3
    assert kept.fired == 4


def _auto():
    from databricks.sdk.service.workspace import ImportFormat

    return ImportFormat.AUTO


@pytest.mark.parametrize(
    ("act", "read"),
    [
        (faults.cut_reply(4), None),
        (faults.shorten_reply(4), b"0123"),
        (faults.flip_reply(), b"1123456789"),
        (faults.flip_reply(-1), b"0123456788"),
        (faults.html(), faults.HTML),
    ],
)
def test_what_a_read_says(emulator, ask, act, read):
    emulator.put(f"{VOLUME}/a", b"0123456789")
    fault = emulator.faults.add(act, "GET")
    answer = ask("GET", f"{FILES}{VOLUME}/a")
    assert (answer.content if answer is not None else None) == read
    assert fault.fired == 1
    assert ask("GET", f"{FILES}{VOLUME}/a").content == b"0123456789"


def test_a_cut_reply_of_a_large_file(emulator, ask):
    emulator.put(f"{VOLUME}/a", bytes(3 << 20))
    cut = emulator.faults.add(faults.cut_reply(2_000_000), "GET")
    assert ask("GET", f"{FILES}{VOLUME}/a") is None
    assert cut.fired == 1
    assert emulator.log.all[-1].bytes_out == 2_000_000


def names(answer):
    """What a listing shows."""
    said = answer.json()
    return sorted(each["path"].rpartition("/")[2] for key in faults.LISTED for each in said.get(key, []))


@pytest.mark.parametrize(
    ("listing", "place"),
    [
        (f"{DIRECTORIES}{VOLUME}/dir", f"{VOLUME}/dir"),
        ("/api/2.0/dbfs/list?path=/dir", "dbfs:/dir"),
        ("/api/2.0/workspace/list?path=/dir", "/Workspace/dir"),
    ],
)
def test_a_listing_lies(emulator, ask, listing, place):
    for name in "abc":
        emulator.put(f"{place}/{name}")
    hidden = emulator.faults.add(faults.hidden("b"), "GET")
    assert names(ask("GET", listing)) == ["a", "c"]
    doubled = emulator.faults.add(faults.listing(lambda entries: entries * 2), "GET")
    assert names(ask("GET", listing)) == ["a", "a", "b", "b", "c", "c"]
    empty = emulator.faults.add(faults.listing(lambda entries: []), "GET")
    assert names(ask("GET", listing)) == []
    stale = emulator.faults.add(faults.frozen(), "GET", times=None)
    assert names(ask("GET", listing)) == ["a", "b", "c"]
    emulator.remove(f"{place}/b")
    emulator.put(f"{place}/d")
    assert names(ask("GET", listing)) == ["a", "b", "c"], "a ghost, and one that is not shown yet"
    emulator.faults.heal()
    assert names(ask("GET", listing)) == ["a", "c", "d"]
    assert (hidden.fired, doubled.fired, empty.fired, stale.fired) == (1, 1, 1, 2)


def test_a_missing_directory_cannot_lie(emulator, ask):
    emulator.faults.add(faults.listing(lambda entries: entries * 2), times=None)
    assert ask("GET", f"{DIRECTORIES}{VOLUME}/no").status_code == 404


def test_pages_lead_to_themselves_or_never_end(emulator, ask):
    for name in "abc":
        emulator.put(f"{VOLUME}/{name}")
    looping = emulator.faults.add(faults.same_page_again(), "GET", DIRECTORIES, times=2)
    tokens = [ask("GET", f"{DIRECTORIES}{VOLUME}").json()["next_page_token"]]
    tokens.append(ask("GET", f"{DIRECTORIES}{VOLUME}?page_token={tokens[0]}").json()["next_page_token"])
    assert tokens[0] == tokens[1]
    endless = emulator.faults.add(faults.endless_pages(), "GET", DIRECTORIES, times=None)
    tokens = {ask("GET", f"{DIRECTORIES}{VOLUME}?page_token={number}").json()["next_page_token"] for number in range(5)}
    assert len(tokens) == 5
    assert (looping.fired, endless.fired) == (2, 5)


def test_the_sdk_sees_them_as_what_they_are(client, emulator):
    """SDK: 500 is never tried again."""
    emulator.faults.add(faults.refuse(500), "GET", "/api/2.0/dbfs/get-status")
    with pytest.raises(InternalError):
        client.dbfs.get_status("/")
    assert len(emulator.log.of("GET", "/api/2.0/dbfs/get-status")) == 1


def test_an_emulator_that_stops_breaks_what_is_under_way(client, emulator, put):
    with requests.Session() as session:
        signed = {"headers": client.config.authenticate(), "timeout": 5}
        assert session.get(f"{emulator.url}/api/2.0/dbfs/get-status?path=/", **signed).status_code == 200
        emulator.stop()
        with pytest.raises(requests.ConnectionError):
            session.get(f"{emulator.url}/api/2.0/dbfs/get-status?path=/", **signed)


def test_latency_is_added_to_every_request():
    with Emulator(latency_s=0.05) as emulator:
        began = time.monotonic()
        requests.get(f"{emulator.url}/.well-known/databricks-config", timeout=5)
        assert time.monotonic() - began >= 0.05
        (seen,) = emulator.log
        assert seen.took_s >= 0.05


def test_the_log_counts_what_is_under_way_at_once(client, emulator):
    from concurrent.futures import ThreadPoolExecutor

    emulator.latency_s = 0.05
    emulator.log.clear()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: client.dbfs.put(f"/{number}", contents="MQ=="), range(8)))
    assert emulator.log.most_under_way == 4
    assert emulator.log.under_way == 0
    assert emulator.log.counts() == {"POST /api/2.0/dbfs/put": 8}
    assert all(seen.authorized and seen.bytes_in for seen in emulator.log)


def test_an_unknown_call_says_so(client, emulator):
    """The service: 404 ENDPOINT_NOT_FOUND."""
    for method, path in (
        ("GET", "/api/2.0/clusters/list"),
        ("PATCH", f"{FILES}/Volumes/a/b/c/d"),
        ("PUT", "/api/2.1/unity-catalog/volumes"),
    ):
        with pytest.raises(DatabricksError) as refused:
            client.api_client.do(method, path)
        assert refused.value.error_code == "ENDPOINT_NOT_FOUND"
