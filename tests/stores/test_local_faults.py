"""Every call to the disk fails once: what was there stays, or what is new is whole; nothing in between, no litter."""

import errno
import os

import pytest

from reconcile.core.entry import ABSENT, ANY
from reconcile.core.errors import BusyError, ChangedError, DeniedError, RefusedError, StoreError
from reconcile.core.path import TEMP_PREFIX
from reconcile.stores import disk as disk_module
from reconcile.stores.disk import UNSUPPORTED, Disk, translated
from reconcile.stores.draft import temp_name
from reconcile.stores.local import LocalStore
from reconcile.testing.samples import body_of, content, put
from tests.stores.disks import Dying, Faulty, PowerError

OLD, NEW = b"the old content", b"new"
MOST_CALLS = 40


@pytest.fixture
def root(tmp_path):
    (tmp_path / "root").mkdir()
    return tmp_path / "root"


def temps(root):
    return [name for _, _, names in os.walk(root) for name in names if name.startswith(TEMP_PREFIX)]


def create(store):
    store.write("d/new", body_of(NEW), expect=ABSENT)


def update(store):
    store.write("old", body_of(NEW), expect=store.stat("old").version)


def copy(store):
    store.copy(store.stat("old"), "d/new", expect=ABSENT)


def keep(store):
    store.copy(store.stat("old"), ".reconcile/undo/1/old", expect=ANY)


def move(store):
    store.move(store.stat("old"), "d/new", expect=ABSENT)


def delete(store):
    [error] = store.delete([("old", store.stat("old").version)])
    if error:
        raise error


CHANGES = [create, update, copy, keep, move, delete]


def look(root):
    """What a reader sees: the content of every file that is not ours."""
    store = LocalStore(str(root))
    return {key: content(store, key) for key in ("old", "d/new") if store.stat(key)}


def outcomes(change):
    """The trees a reader may see, whatever fails."""
    done = {
        create: {"old": OLD, "d/new": NEW},
        update: {"old": NEW},
        copy: {"old": OLD, "d/new": OLD},
        keep: {"old": OLD},
        move: {"d/new": OLD},
        delete: {},
    }
    return [{"old": OLD}, done[change]]


def failure(change, store):
    """The error a change ended with, if it did."""
    try:
        change(store)
    except StoreError as error:
        return error
    return None


@pytest.mark.hazard("T18")
@pytest.mark.hazard("T20")
@pytest.mark.hazard("T21")
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EROFS], ids=["ENOSPC", "EIO", "EROFS"])
@pytest.mark.parametrize("change", CHANGES)
def test_every_call_may_fail_once(tmp_path, change, code):
    for at in range(1, MOST_CALLS):
        root = tmp_path / str(at)
        root.mkdir()
        put(LocalStore(str(root)), "old", OLD)
        disk = Faulty(at, code)
        error = failure(change, LocalStore(str(root), disk=disk))
        assert not isinstance(error, (BusyError, ChangedError))
        if not disk.fired:
            assert at > 2
            return
        assert look(root) in outcomes(change)
        failed_at_tidying = disk.calls[at - 1] == "unlink"
        assert temps(root) == [] or failed_at_tidying
    pytest.fail("there was no end of calls")


@pytest.mark.hazard("T15")
@pytest.mark.parametrize("change", CHANGES)
def test_the_machine_may_die_at_every_call(tmp_path, change):
    for at in range(1, MOST_CALLS):
        root = tmp_path / str(at)
        root.mkdir()
        put(LocalStore(str(root)), "old", OLD)
        disk = Dying(at)
        try:
            change(LocalStore(str(root), disk=disk))
        except PowerError:
            assert disk.fired
        else:
            assert not disk.fired
            return
        assert look(root) in outcomes(change)
    pytest.fail("there was no end of calls")


@pytest.mark.hazard("T20")
def test_a_failed_sync_is_never_tried_again_on_the_same_file(root):
    disk = Faulty(name="sync")
    with pytest.raises(StoreError):
        LocalStore(str(root), disk=disk).write("a", body_of(NEW), expect=ABSENT)
    assert disk.calls.count("sync") == 1
    assert look(root) == {}


def test_what_a_dead_write_left_is_found_by_its_token(root):
    disk = Dying(at=3)
    with pytest.raises(PowerError):
        LocalStore(str(root), disk=disk).write("a", body_of(NEW, token="0123abcd"), expect=ABSENT)
    left = temp_name("0123abcd")
    assert temps(root) == [left]
    store = LocalStore(str(root))
    assert store.delete([(left, ANY)]) == [None]
    assert temps(root) == []


def test_what_a_dead_write_left_is_in_nobodys_way(root):
    with pytest.raises(PowerError):
        LocalStore(str(root), disk=Dying(at=3)).write("a", body_of(NEW, token="0123abcd"), expect=ABSENT)
    LocalStore(str(root)).write("a", body_of(NEW, token="0123abcd"), expect=ABSENT)
    assert temps(root) == []
    assert (root / "a").read_bytes() == NEW


@pytest.mark.parametrize("token", ["", "../x", "a/b", "x" * 300, "é"])
def test_a_token_that_is_no_name_is_not_used_as_one(token):
    assert temp_name(token).removeprefix(TEMP_PREFIX).isalnum()
    assert temp_name(token) != temp_name(token)


# --- file systems that lack a call


def lacking(*names):
    """A disk module without these ways of renaming."""

    def missing(old, new):
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    return dict.fromkeys(names, missing)


@pytest.mark.parametrize(
    "names",
    [(), ("_rename_noreplace",), ("_rename_noreplace", "_link_and_unlink")],
    ids=["renameat2", "link and unlink", "stat and rename"],
)
def test_a_create_never_replaces_whatever_the_disk_can(root, monkeypatch, names):
    for name, way in lacking(*names).items():
        monkeypatch.setattr(disk_module, name, way)
    store = LocalStore(str(root))
    entry = store.write("a", body_of(OLD), expect=ABSENT)
    assert store.stat("a") == entry
    with pytest.raises(ChangedError):
        store.write("a", body_of(NEW), expect=ABSENT)
    assert content(store, "a") == OLD
    assert temps(root) == []


def test_a_system_without_renameat2_says_so(root, monkeypatch):
    monkeypatch.setattr(disk_module, "_renameat2", lambda: None)
    store = LocalStore(str(root))
    put(store, "a", OLD)
    with pytest.raises(ChangedError):
        store.write("a", body_of(NEW), expect=ABSENT)


def test_a_short_write_is_continued(root, monkeypatch):
    write = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: write(fd, data[:3]))
    store = LocalStore(str(root), disk=Disk())
    put(store, "a", OLD)
    assert (root / "a").read_bytes() == OLD


# --- words for errors


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (errno.ENOSPC, StoreError),
        (errno.EIO, StoreError),
        (errno.EROFS, DeniedError),
        (errno.EACCES, DeniedError),
        (errno.EPERM, DeniedError),
        (errno.ENAMETOOLONG, RefusedError),
        (errno.EILSEQ, RefusedError),
        (errno.EEXIST, ChangedError),
    ],
)
def test_errors_of_the_system_are_ours_in_kind(code, kind):
    with pytest.raises(StoreError) as told, translated("write", "a/b"):
        raise OSError(code, os.strerror(code))
    assert type(told.value) is kind
    assert (told.value.op, told.value.path, told.value.message) == ("write", "a/b", os.strerror(code))
    assert isinstance(told.value.__cause__, OSError)


def test_what_is_unsupported_is_no_failure_of_the_disk():
    assert {errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.EROFS}.isdisjoint(UNSUPPORTED)
