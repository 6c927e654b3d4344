"""What is kept for undo costs nothing, cannot be spoiled, and is in nobody's way."""

import errno
import os

import pytest

from reconcile.core.entry import ABSENT, ANY
from reconcile.core.errors import ChangedError
from reconcile.stores.local import LocalStore
from reconcile.testing.samples import body_of, content, put
from tests.stores.disks import Faulty, Meddling
from tests.stores.test_local import content_of_version, files


@pytest.fixture
def root(tmp_path):
    (tmp_path / "root").mkdir()
    return tmp_path / "root"


def test_a_copy_for_undo_is_a_second_name(root):
    store = LocalStore(str(root))
    entry = put(store, "a", b"old")
    kept = store.copy(entry, ".reconcile/undo/1/a", expect=ANY)
    assert os.stat(root / "a").st_ino == os.stat(root / ".reconcile/undo/1/a").st_ino
    assert kept == store.stat(".reconcile/undo/1/a")
    assert store.copy(store.stat("a"), ".reconcile/undo/1/a", expect=ANY).size == 3
    with pytest.raises(ChangedError):
        store.copy(store.stat("a"), ".reconcile/undo/1/a", expect=ABSENT)
    assert not [name for name in files(root) if "tmp" in name]


@pytest.mark.parametrize("use", ["write", "delete", "move", "copy", "read"])
def test_the_version_that_was_seen_still_holds_after_it_was_kept(root, use):
    store = LocalStore(str(root))
    entry = put(store, "a", b"old")
    store.copy(entry, ".reconcile/undo/1/a", expect=ANY)
    assert store.stat("a").version != entry.version  # a second name changes the times of the file
    uses = {
        "write": lambda: store.write("a", body_of(b"new"), expect=entry.version),
        "delete": lambda: store.delete([("a", entry.version)]) == [None] or pytest.fail("not deleted"),
        "move": lambda: store.move(entry, "b", expect=ABSENT),
        "copy": lambda: store.copy(entry, "b", expect=ABSENT),
        "read": lambda: content_of_version(store, entry),
    }
    uses[use]()
    assert content(store, ".reconcile/undo/1/a") == b"old"


def test_an_edit_after_it_was_kept_is_still_seen(root):
    store = LocalStore(str(root))
    entry = put(store, "a", b"old")
    store.copy(entry, ".reconcile/undo/1/a", expect=ANY)
    with (root / "a").open("ab") as file:
        file.write(b"er")
    with pytest.raises(ChangedError):
        store.write("a", body_of(b"new"), expect=entry.version)
    assert content(store, "a") == b"older"


def test_what_comes_back_from_undo_is_a_file_of_its_own(root):
    store = LocalStore(str(root))
    kept = store.copy(put(store, "a", b"old"), ".reconcile/undo/1/a", expect=ANY)
    store.copy(kept, "b", expect=ABSENT)
    (root / "b").write_bytes(b"edited in place")
    assert content(store, ".reconcile/undo/1/a") == b"old"


def test_the_version_of_what_was_kept_holds_for_the_file_as_well(root):
    for disk in (Faulty(), Faulty(name="link", code=errno.EOPNOTSUPP)):
        store = LocalStore(str(root), disk=disk)
        put(store, "a", b"old", expect=ANY)
        kept = store.copy(store.stat("a"), ".reconcile/undo/1/a", expect=ANY)
        store.write("a", body_of(b"new"), expect=kept.version)
        assert content(store, "a") == b"new"


def test_a_disk_without_second_names_keeps_bytes(root):
    disk = Faulty(name="link", code=errno.EOPNOTSUPP)
    store = LocalStore(str(root), disk=disk)
    entry = put(store, "a", b"old")
    store.copy(entry, ".reconcile/undo/1/a", expect=ANY)
    assert disk.fired == 1
    assert os.stat(root / "a").st_ino != os.stat(root / ".reconcile/undo/1/a").st_ino
    store.write("a", body_of(b"new"), expect=entry.version)
    assert content(store, ".reconcile/undo/1/a") == b"old"


def test_what_changes_while_it_is_kept_is_not_kept(root):
    def edit(*_args):
        (root / "a").write_bytes(b"edited")

    disk = Meddling("link", edit)
    store = LocalStore(str(root), disk=disk)
    entry = put(store, "a", b"old")
    with pytest.raises(ChangedError):
        store.copy(entry, ".reconcile/undo/1/a", expect=ANY)
    assert disk.fired == 1
    assert files(root) == ["a"]
