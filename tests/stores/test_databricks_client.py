"""Who asks a workspace, how often, and what becomes of what it answers."""

from __future__ import annotations

import pytest

from reconcile.core.entry import ABSENT, Cover, Entry, Problem
from reconcile.core.errors import (
    BusyError,
    DamagedError,
    DeniedError,
    NotFoundError,
    RefusedError,
    StoreError,
    UsageError,
)
from reconcile.stores.registry import open_store
from reconcile.stores.tree_list import EMPTY_PAGES
from reconcile.stores.wrap import Retrying
from reconcile.testing.samples import body_of, content, listed, stream_of
from tests.fakes.databricks import Emulator
from tests.fakes.databricks import faults as broken
from tests.fakes.databricks.identity import EXPIRED
from tests.stores.databricks_kit import ALL, VOLUME, emulator, opened, principal
from tests.stores.fakes import OwnClock

__all__ = ["emulator"]


# --- who asks


@pytest.mark.parametrize("expired", EXPIRED, ids=[str(status) for status, _, _ in EXPIRED])
def test_a_token_that_expires_on_the_way_is_renewed_once(emulator: Emulator, expired) -> None:
    emulator.identity.expired = expired
    store = opened(emulator, **principal(emulator))
    store.write("a", body_of(b"1"), expect=ABSENT)
    emulator.identity.expire()
    store.write("b", body_of(b"2"), expect=ABSENT)
    assert sorted(listed(store)) == ["a", "b"]
    assert emulator.identity.tokens_made == 2


def test_many_at_once_renew_one_token(emulator: Emulator) -> None:
    store = Retrying(opened(emulator, **principal(emulator)), clock=OwnClock())
    for number in range(8):
        store.write(f"d{number}/f", body_of(b"1"), expect=ABSENT)
    emulator.identity.expire()
    assert len(listed(store)) == 8
    assert emulator.identity.tokens_made == 2


@pytest.mark.parametrize("act", [broken.lose_before, lambda: broken.busy(503)], ids=["lost", "busy"])
def test_who_gives_tokens_may_be_busy(emulator: Emulator, act) -> None:
    store = Retrying(opened(emulator, **principal(emulator)), clock=OwnClock())
    store.write("a", body_of(b"1"), expect=ABSENT)
    emulator.identity.expire()
    fault = emulator.faults.add(act(), "POST", "/oidc/v1/token", times=1)
    store.write("b", body_of(b"1"), expect=ABSENT)
    assert fault.fired == 1


def test_a_secret_that_is_wrong_is_told(emulator: Emulator) -> None:
    store = opened(emulator, client_id=emulator.identity.client_id, client_secret="wrong")
    with pytest.raises(DeniedError, match="not signed in"):
        listed(store)


def test_a_stream_is_opened_again_when_its_token_expired(emulator: Emulator, monkeypatch) -> None:
    monkeypatch.setattr("reconcile.stores.databricks.volume.WHOLE_BYTES", 10)
    store = Retrying(opened(emulator, **principal(emulator)), clock=OwnClock())
    store.write("a", body_of(b"1"), expect=ABSENT)
    emulator.identity.expire()
    store.write("b", stream_of(b"2" * 100), expect=ABSENT)
    assert content(store, "b") == b"2" * 100


def test_credentials_that_are_refused_again_are_told_and_asked_no_more(
    emulator: Emulator, tmp_path, monkeypatch
) -> None:
    config = tmp_path / "databrickscfg"
    config.write_text(f"[DEV]\nhost = {emulator.url}\ntoken = {emulator.token}\n")
    monkeypatch.setenv("DATABRICKS_CONFIG_FILE", str(config))
    store = Retrying(open_store(VOLUME, options={"profile": "DEV"}), clock=OwnClock())
    assert store.url == f"/Volumes/main/default/landing?host={emulator.url.removeprefix('http://')}"
    assert listed(store) == []
    emulator.identity.token = "another"
    emulator.log.clear()
    for _ in range(3):
        with pytest.raises(DeniedError, match="not signed in") as told:
            listed(store)
        assert told.value.hint == "databricks auth login -p DEV"
    assert len(emulator.log.of("GET", "/api")) <= 4


def test_no_credentials_are_told_without_asking_anybody() -> None:
    store = open_store(VOLUME)
    with pytest.raises(DeniedError, match="not signed in"):
        listed(store)


def test_the_environment_tells_the_workspace(monkeypatch) -> None:
    monkeypatch.setenv("DATABRICKS_HOST", "https://Adb-1.azuredatabricks.net/")
    assert open_store("dbfs:/a/b/").url == "dbfs:/a/b?host=adb-1.azuredatabricks.net"
    assert open_store("dbfs:/a", options={"host": "adb-2.net"}).url == "dbfs:/a?host=adb-2.net"


def test_a_ready_client_is_taken(emulator: Emulator) -> None:
    from databricks.sdk import WorkspaceClient

    client = WorkspaceClient(config=emulator.config())
    store = open_store(VOLUME, options={"client": client})
    store.write("a", body_of(b"1"), expect=ABSENT)
    assert emulator.paths() == ["/Volumes/main/default/landing/a"]


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("dbfs:relative", {}),
        ("volume:/Volumes/a/b", {}),
        ("dbfs:/a/../b", {}),
        ("dbfs:/a", {"sse": "x", "colour": "red"}),
    ],
)
def test_what_is_no_place_is_refused(url: str, words: dict[str, str]) -> None:
    with pytest.raises(UsageError):
        open_store(url, options=words)


@pytest.mark.parametrize("url", ALL)
def test_words_behind_a_url_are_no_part_of_its_path(url: str) -> None:
    with pytest.raises(UsageError) as told:
        open_store(f"{url}/x?token=hush")
    assert "hush" not in f"{told.value} {told.value.path} {told.value.hint}"


# --- how often


@pytest.mark.parametrize("url", ALL)
def test_who_is_told_to_wait_makes_all_wait(emulator: Emulator, url: str) -> None:
    clock = OwnClock()
    store = Retrying(opened(emulator, url), clock=clock)
    store.write("a", body_of(b"1"), expect=ABSENT)
    fault = emulator.faults.add(broken.busy(429, retry_after="7"), path="/api/2.0", times=3)
    assert content(store, "a") == b"1"
    assert fault.fired == 3
    assert max(clock.slept) >= 7


@pytest.mark.parametrize("status", [500, 502, 503, 504, 408, 429])
def test_what_the_sdk_gives_up_on_is_tried_again(emulator: Emulator, status: int) -> None:
    store = Retrying(opened(emulator), clock=OwnClock())
    fault = emulator.faults.add(broken.refuse(status, "WHATEVER"), "PUT", times=2)
    store.write("a", body_of(b"1"), expect=ABSENT)
    assert fault.fired == 2


@pytest.mark.parametrize("url", ALL)
def test_who_never_answers_is_asked_so_often_and_not_in_every_part_anew(emulator: Emulator, url: str) -> None:
    store = Retrying(opened(emulator, url), clock=OwnClock())
    store.write("a", body_of(b"1"), expect=ABSENT)
    fault = emulator.faults.add(broken.busy(503), "POST|PUT", "/api/2.0", times=None)
    with pytest.raises(BusyError):
        store.write("b", body_of(b"1"), expect=ABSENT)
    assert fault.fired <= 2 * 8


@pytest.mark.parametrize("url", ALL)
def test_a_directory_that_cannot_be_listed_is_a_problem_of_its_own(emulator: Emulator, url: str) -> None:
    store = Retrying(opened(emulator, url), clock=OwnClock())
    for key in ("a/1", "b/2", "b/c/3", "d"):
        store.write(key, body_of(b"1"), expect=ABSENT)
    fault = emulator.faults.add(
        broken.refuse(504, "DEADLINE_EXCEEDED"), "GET", "/api/2.0/.*(list|directories)", about="landing/b", times=None
    )
    found = [*store.list()]
    assert fault.fired == 2
    assert sorted(item.key for item in found if isinstance(item, Entry)) == ["a/1", "d"]
    [problem] = [item for item in found if isinstance(item, Problem)]
    assert (problem.key, problem.cover) == ("b", Cover.TREE)
    assert "too many to list" in problem.hint
    assert problem.covers("b/c/3")


def test_a_page_that_fails_makes_its_directory_unknown(emulator: Emulator) -> None:
    emulator.limits.files_page_entries = 2
    store = opened(emulator)
    for key in ("a/1", "a/2", "a/3", "b"):
        store.write(key, body_of(b"1"), expect=ABSENT)
    emulator.faults.add(broken.refuse(403, "PERMISSION_DENIED"), "GET", "/api/2.0/fs/directories.*/a", nth=2)
    problems = [item for item in store.list() if isinstance(item, Problem)]
    assert [(problem.key, problem.cover) for problem in problems] == [("a", Cover.TREE)]


@pytest.mark.hazard("R02")
@pytest.mark.parametrize("holds", [0, 1, 5], ids=lambda count: f"{count} files")
@pytest.mark.parametrize("act", [broken.same_page_again, broken.endless_pages])
def test_a_listing_in_circles_is_no_listing(emulator: Emulator, act, holds: int) -> None:
    for number in range(holds):
        emulator.put(f"/Volumes/main/default/landing/{number}")
    fault = emulator.faults.add(act(), "GET", "/api/2.0/fs/directories", times=None)
    store = opened(emulator)
    for look in (lambda: listed(store), lambda: [*store.files("")]):
        with pytest.raises(DamagedError, match="in circles"):
            look()
    assert fault.fired <= 2 * (EMPTY_PAGES + 1)


# --- what is answered


@pytest.mark.hazard("R32")
@pytest.mark.parametrize("url", ALL)
def test_the_page_of_a_proxy_is_no_answer(emulator: Emulator, url: str) -> None:
    store = opened(emulator, url)
    store.write("a", body_of(b"1"), expect=ABSENT)
    emulator.faults.add(broken.html(200), path="/api/2.0", times=None)
    for look in (lambda: listed(store), lambda: store.stat("a"), lambda: content(store, "a")):
        with pytest.raises(DamagedError):
            look()


@pytest.mark.hazard("R32")
@pytest.mark.parametrize("url", ALL)
def test_a_404_of_a_proxy_is_no_absence(emulator: Emulator, url: str) -> None:
    store = opened(emulator, url)
    entry = store.write("a", body_of(b"1"), expect=ABSENT)
    fault = emulator.faults.add(broken.html(404), path="/api/2", times=None)
    for look in (lambda: listed(store), lambda: store.stat("a"), lambda: content(store, "a")):
        with pytest.raises(DamagedError, match="not from the service"):
            look()
    assert isinstance(store.delete([("a", entry.version)])[0], StoreError)
    assert fault.fired >= 4


def test_a_volume_that_a_proxy_does_not_find_is_not_missing(emulator: Emulator) -> None:
    emulator.faults.add(broken.html(404), path="/api/2", times=None)
    with pytest.raises(DamagedError, match="not from the service"):
        opened(emulator).ensure(dry=True)


@pytest.mark.parametrize("url", ALL)
def test_a_host_that_knows_no_such_call_tells_of_no_absence(emulator: Emulator, url: str) -> None:
    emulator.faults.add(broken.refuse(404, "ENDPOINT_NOT_FOUND"), path="/api/2", times=None)
    with pytest.raises(RefusedError, match="ENDPOINT_NOT_FOUND") as told:
        listed(opened(emulator, url))
    assert "workspace" in told.value.hint


@pytest.mark.parametrize("url", ALL)
def test_an_answer_that_is_cut_off_is_none(emulator: Emulator, url: str) -> None:
    store = opened(emulator, url)
    store.write("a", body_of(b"0123456789" * 100), expect=ABSENT)
    emulator.faults.add(broken.cut_reply(20), "GET", "/api/2.0", times=None)
    with pytest.raises(BusyError):
        content(store, "a")
    with pytest.raises(StoreError):
        listed(store)


def test_what_was_cut_off_is_read_on(emulator: Emulator) -> None:
    store = Retrying(opened(emulator), clock=OwnClock())
    entry = store.write("a", body_of(b"0123456789" * 1000), expect=ABSENT)
    fault = emulator.faults.add(broken.cut_reply(4000), "GET", "/api/2.0/fs/files")
    assert b"".join(store.read("a", version=entry.version)) == b"0123456789" * 1000
    assert fault.fired == 1


@pytest.mark.parametrize("url", ALL)
def test_one_path_that_is_forbidden_is_one_path(emulator: Emulator, url: str) -> None:
    store = opened(emulator, url)
    seen = [store.write(key, body_of(b"1"), expect=ABSENT) and store.stat(key) for key in ("a", "b")]
    emulator.faults.add(broken.refuse(403, "PERMISSION_DENIED"), about="landing/a", times=None)
    told = store.delete([(one.key, one.version) for one in seen])
    assert [type(one) for one in told] == [DeniedError, type(None)]


def test_what_is_missing_is_told_by_its_kind(emulator: Emulator) -> None:
    for path, kind in (("nope/default/v", "CATALOG"), ("main/nope/v", "SCHEMA"), ("main/default/nope", "VOLUME")):
        with pytest.raises(NotFoundError, match=kind):
            listed(opened(emulator, f"volume:/Volumes/{path}"))
    with pytest.raises(RefusedError, match="no catalog nope"):
        opened(emulator, "volume:/Volumes/nope/default/v").ensure(dry=True)


def test_nothing_that_says_who_asks_goes_to_a_signed_url(emulator: Emulator, monkeypatch) -> None:
    monkeypatch.setattr("reconcile.stores.databricks.volume.IN_PARTS_BYTES", 10)
    store = opened(emulator)
    store.write("a", stream_of(b"x" * 100), expect=ABSENT)
    signed = emulator.log.of("PUT", "/presigned")
    assert len(signed) == 1
    assert not signed[0].authorized


def test_a_signed_url_that_expired_is_asked_for_again(emulator: Emulator, monkeypatch) -> None:
    monkeypatch.setattr("reconcile.stores.databricks.volume.IN_PARTS_BYTES", 10)
    store = Retrying(opened(emulator), clock=OwnClock())
    fault = emulator.faults.add(broken.refuse(403, "AccessDenied"), "PUT", "/presigned")
    store.write("a", stream_of(b"x" * 100), expect=ABSENT)
    assert fault.fired == 1
    assert content(store, "a") == b"x" * 100


def test_what_a_listing_does_not_show_yet_is_not_absent(emulator: Emulator) -> None:
    store = opened(emulator)
    store.write("a", body_of(b"1"), expect=ABSENT)
    emulator.faults.add(broken.hidden("a"), "GET", "/api/2.0/fs/directories")
    with pytest.raises(BusyError, match="does not list it yet"):
        store.stat("a")
    assert store.stat("a") is not None


def test_many_looks_into_one_directory_list_it_once(emulator: Emulator) -> None:
    store = opened(emulator)
    for number in range(10):
        store.write(f"d/{number}", body_of(b"1"), expect=ABSENT)
    emulator.log.clear()
    assert all(store.stat(f"d/{number}") for number in range(10))
    assert len(emulator.log.of("GET", "/api/2.0/fs/directories")) == 1
    emulator.put("/Volumes/main/default/landing/d/5", b"22")
    assert store.stat("d/5").size == 2
