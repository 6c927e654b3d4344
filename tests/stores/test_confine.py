"""Nothing a store does reaches outside its root, whatever names, symlinks and races say."""

from contextlib import suppress
import ctypes
import os
from threading import Event, Thread

import pytest

from reconcile.core.entry import ABSENT, ANY, Kind
from reconcile.core.errors import ChangedError, NotFoundError, RefusedError, StoreError
from reconcile.stores import beneath, confine
from reconcile.stores.confine import check_writable
from reconcile.stores.local import LocalStore
from reconcile.testing.samples import body_of, content, put
from tests.stores.disks import Meddling


@pytest.fixture(params=["at once", "step by step", "no handles"])
def handles(request, monkeypatch):
    """The three ways down: `openat2`, a walk of handles, and names alone."""
    monkeypatch.setattr(confine, "HAS_HANDLES", request.param != "no handles")
    take_a_way(request.param, monkeypatch)


@pytest.fixture(params=["at once", "step by step"])
def with_handles(request, monkeypatch):
    """The two ways that no race can lead astray."""
    take_a_way(request.param, monkeypatch)


def take_a_way(name, monkeypatch):
    if name != "at once":
        monkeypatch.setattr(beneath, "_openat2", lambda: None)
    elif beneath._openat2() is None:
        pytest.skip("this kernel has no openat2, or does not let us use it")


@pytest.fixture
def root(tmp_path):
    (tmp_path / "root").mkdir()
    return tmp_path / "root"


@pytest.fixture
def outside(tmp_path):
    (tmp_path / "outside" / "d").mkdir(parents=True)
    (tmp_path / "outside" / "secret").write_text("untouched")
    return tmp_path / "outside"


def tree(directory):
    return {os.path.relpath(os.path.join(at, name), directory) for at, _, names in os.walk(directory) for name in names}


@pytest.mark.hazard("S06")
@pytest.mark.parametrize("key", ["link/secret", "link/new", "link/d/new", "in/link/new"])
@pytest.mark.usefixtures("handles")
def test_no_call_goes_through_a_symlink(root, outside, key):
    (root / "in").mkdir()
    for link in (root / "link", root / "in" / "link"):
        link.symlink_to(outside)
    store = LocalStore(str(root))
    mine = put(store, "mine", b"mine")
    foreign = mine.__class__(key, 9, mine.version)
    calls = [
        lambda: store.write(key, body_of(b"1"), expect=ABSENT),
        lambda: store.write(key, body_of(b"1"), expect=ANY),
        lambda: store.copy(mine, key, expect=ABSENT),
        lambda: store.copy(foreign, "stolen", expect=ABSENT),
        lambda: store.move(mine, key, expect=ABSENT),
        lambda: store.move(foreign, "stolen", expect=ABSENT),
        lambda: store.stat(key),
        lambda: content(store, key),
    ]
    for call in calls:
        with pytest.raises(RefusedError):
            call()
    assert isinstance(store.delete([(key, ANY)])[0], RefusedError)
    assert tree(outside) == {"secret"}
    assert (outside / "secret").read_text() == "untouched"
    assert content(store, "mine") == b"mine"


@pytest.mark.usefixtures("handles")
def test_a_symlink_in_the_place_of_a_file_is_not_followed(root, outside):
    (root / "a").symlink_to(outside / "secret")
    store = LocalStore(str(root))
    seen = store.stat("a")
    assert seen.kind is Kind.SYMLINK
    with pytest.raises(RefusedError):
        content(store, "a")
    for expect in (ABSENT, seen.version):
        with pytest.raises(ChangedError):
            store.write("a", body_of(b"1"), expect=expect)
    assert isinstance(store.delete([("a", seen.version)])[0], ChangedError)
    assert (root / "a").is_symlink()
    assert (outside / "secret").read_text() == "untouched"


@pytest.mark.hazard("S05")
@pytest.mark.parametrize("call", ["create", "rename_new", "sync_directory"])
@pytest.mark.usefixtures("with_handles")
def test_a_symlink_planted_between_look_and_write_leads_nowhere(root, outside, call):
    (root / "d").mkdir()

    def plant(*_args):
        (root / "d").rename(root / "d-before")
        (root / "d").symlink_to(outside)

    disk = Meddling(call, plant)
    LocalStore(str(root), disk=disk).write("d/new", body_of(b"1"), expect=ABSENT)
    assert disk.fired == 1
    assert tree(outside) == {"secret"}
    assert (root / "d-before" / "new").read_bytes() == b"1"


@pytest.mark.hazard("S05")
@pytest.mark.parametrize("call", ["unlink", "rename_new"])
@pytest.mark.usefixtures("with_handles")
def test_a_symlink_planted_between_look_and_removal_leads_nowhere(root, outside, call):
    (root / "d").mkdir()
    (root / "d" / "secret").write_text("ours")

    def plant(*_args):
        (root / "d").rename(root / "d-before")
        (root / "d").symlink_to(outside)

    disk = Meddling(call, plant)
    store = LocalStore(str(root), disk=disk)
    if call == "unlink":
        store.delete([("d/secret", ANY)])
    else:
        with pytest.raises(RefusedError):  # on the way back, where the directory is looked at once more
            store.move(store.stat("d/secret"), "moved", expect=ABSENT)
    assert disk.fired == 1
    assert (outside / "secret").read_text() == "untouched"


def exchange(one, other):
    """Two names change places in one step."""
    assert ctypes.CDLL(None).renameat2(-100, bytes(one), -100, bytes(other), 2) == 0


@pytest.mark.hazard("S05")
@pytest.mark.usefixtures("with_handles")
def test_a_race_for_a_directory_is_never_won(root, outside):
    (root / "d").mkdir()
    (root / "link").symlink_to(outside)
    stop = Event()

    def swap():
        while not stop.is_set():
            exchange(root / "d", root / "link")

    store = LocalStore(str(root))
    racer = Thread(target=swap)
    racer.start()
    written = refused = 0
    try:
        for turn in range(30_000):
            try:
                store.write(f"d/{turn}", body_of(b"1"), expect=ABSENT)
                written += 1
            except StoreError:
                refused += 1
            if written > 50 and refused > 50:
                break
    finally:
        stop.set()
        racer.join()
    assert written > 10
    assert refused > 10
    assert tree(outside) == {"secret"}


def test_the_root_may_be_reached_through_a_symlink(root, tmp_path):
    (tmp_path / "alias").symlink_to(root)
    put(LocalStore(str(tmp_path / "alias")), "a", b"1")
    assert (root / "a").read_bytes() == b"1"


@pytest.mark.hazard("R23")
@pytest.mark.parametrize("key", ["", "..", "../x", "a/../../x", "/etc/passwd", "a//b", "./a", "a/", "nul\0", "\udcff"])
@pytest.mark.usefixtures("handles")
def test_odd_keys_are_refused_by_every_call(root, key):
    store = LocalStore(str(root))
    mine = put(store, "mine", b"1")
    odd = mine.__class__(key, 1, mine.version)
    for call in (
        lambda: store.stat(key),
        lambda: content(store, key),
        lambda: store.write(key, body_of(b"1"), expect=ABSENT),
        lambda: store.copy(mine, key, expect=ABSENT),
        lambda: store.copy(odd, "b", expect=ABSENT),
        lambda: store.move(mine, key, expect=ABSENT),
        lambda: store.move(odd, "b", expect=ABSENT),
    ):
        with pytest.raises(RefusedError):
            call()
    assert isinstance(store.delete([(key, ANY)])[0], RefusedError)
    assert tree(root) == {"mine"}


@pytest.mark.hazard("S07")
@pytest.mark.parametrize(
    "key",
    [
        ".git/hooks/post-checkout", "sub/.git/config", ".GIT/config", ".Git./config", ".g\u200cit/config",
        "git~1/config", ".ssh/authorized_keys", "home/.SSH/config", ".S3/x", ".reconcile", ".reconcile/dirs",
        "sub/.reconcile/undo/1", ".Reconcile/undo/1", ".reconcile/undo/.git/config", ".reconcile-tmp-1",
        "sub/.reconcile-tmp-1/x",
    ],
)  # fmt: skip
def test_reserved_names_are_refused(root, key):
    store = LocalStore(str(root))
    mine = put(store, "mine", b"1")
    for call in (
        lambda: store.write(key, body_of(b"1"), expect=ABSENT),
        lambda: store.copy(mine, key, expect=ABSENT),
        lambda: store.move(mine, key, expect=ABSENT),
    ):
        with pytest.raises(RefusedError):
            call()
    assert tree(root) == {"mine"}


@pytest.mark.parametrize("key", [".gitignore", ".github/x", "a.git/x", ".sshd", "git~10", ".reconcileignore", ".s4/x"])
def test_names_that_only_look_reserved_are_not(root, key):
    assert content_after_put(LocalStore(str(root)), key) == b"1"


def content_after_put(store, key):
    put(store, key, b"1")
    return content(store, key)


@pytest.mark.hazard("N08")
@pytest.mark.parametrize(
    "key", ["CON", "con.txt", "sub/NUL", "com1", "LPT9.log", "dot.", "space ", "a:b", "a\\b", "what?", "bell\a"]
)
def test_names_windows_refuses_are_refused_there(key):
    check_writable(key, "write", windows=False)
    with pytest.raises(RefusedError):
        check_writable(key, "write", windows=True)


@pytest.mark.parametrize("key", ["console", "com", "com10", "a.b", ".hidden", "sp ace"])
def test_names_windows_takes_are_taken_there(key):
    check_writable(key, "write", windows=True)


@pytest.mark.usefixtures("handles")
def test_a_root_that_was_replaced_is_noticed(root, tmp_path):
    store = LocalStore(str(root), walk=lambda under: iter(()))
    entry = put(store, "a", b"1")
    root.rename(tmp_path / "moved away")
    root.mkdir()
    with pytest.raises(ChangedError):
        store.write("b", body_of(b"1"), expect=ABSENT)
    assert isinstance(store.delete([("a", entry.version)])[0], ChangedError)
    assert tree(tmp_path / "moved away") == {"a"}
    list(store.list())  # a new look begins
    put(store, "b", b"1")
    assert tree(root) == {"b"}


@pytest.mark.hazard("L20")
@pytest.mark.usefixtures("handles")
def test_a_root_that_is_gone_is_no_proof_of_absence(root, tmp_path):
    store = LocalStore(str(root), walk=lambda under: iter(()))
    entry = put(store, "a", b"1")
    root.rename(tmp_path / "unplugged")
    for call in (
        lambda: store.stat("a"),
        lambda: list(store.list()),
        lambda: store.write("a", body_of(b"1"), expect=ABSENT),
    ):
        with pytest.raises(NotFoundError):
            call()
    assert isinstance(store.delete([("a", entry.version)])[0], NotFoundError)


def test_a_root_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("1")
    store = LocalStore(str(tmp_path / "file"))
    with pytest.raises(RefusedError):
        store.stat("a")
    with pytest.raises(StoreError):
        store.ensure()


@pytest.mark.usefixtures("handles")
def test_no_handle_is_left_open(root):
    store = LocalStore(str(root), walk=lambda under: iter(()))
    before = set(os.listdir("/proc/self/fd"))
    entry = put(store, "a/b/c", b"1")
    store.move(entry, "d/e/f", expect=ABSENT)
    store.delete([("d/e/f", ANY), ("none/such", ANY)])
    for key in ("x/y", "..", "a/b"):
        with suppress(StoreError):
            content(store, key)
    store.close()
    assert set(os.listdir("/proc/self/fd")) == before
