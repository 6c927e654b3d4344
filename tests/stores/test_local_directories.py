"""Directories come with their first file and go with their last, if they are ours; nobody else's ever goes."""

import pytest

from reconcile.core.entry import ABSENT
from reconcile.core.errors import StoreError, UnstableError
from reconcile.ports import HOOKS
from reconcile.stores.local import LocalStore
from reconcile.testing.samples import put, stream_of
from tests.stores.disks import Faulty
from tests.stores.test_local import files


@pytest.fixture
def root(tmp_path):
    (tmp_path / "root").mkdir()
    return tmp_path / "root"


def test_directories_we_made_go_when_they_are_empty(root):
    (root / "theirs").mkdir()
    store = LocalStore(str(root))
    keys = ["a/b/c", "theirs/ours/x", "theirs/y"]
    items = [(key, put(store, key, b"1").version) for key in keys]
    assert LocalStore(str(root)).delete(items) == [None] * 3
    assert sorted(path.name for path in root.iterdir()) == [".reconcile", "theirs"]
    assert list((root / "theirs").iterdir()) == []


def test_a_directory_that_holds_something_else_stays(root):
    store = LocalStore(str(root))
    entry = put(store, "a/b/c", b"1")
    (root / "a" / "theirs").write_text("1")
    store.delete([("a/b/c", entry.version)])
    assert files(root) == ["a/theirs"]
    assert not (root / "a" / "b").exists()


def test_a_directory_made_again_by_somebody_else_is_theirs(root):
    store = LocalStore(str(root))
    entry = put(store, "a/b", b"1")
    store.delete([("a/b", entry.version)])
    (root / "a").mkdir()
    entry = put(LocalStore(str(root)), "a/b", b"1")
    LocalStore(str(root)).delete([("a/b", entry.version)])
    assert (root / "a").is_dir()


def test_a_move_leaves_no_empty_directory_of_ours(root):
    store = LocalStore(str(root))
    store.move(put(store, "a/b/c", b"1"), "d/e", expect=ABSENT)
    assert sorted(path.name for path in root.iterdir()) == [".reconcile", "d"]


def test_what_was_made_in_vain_goes_again(root):
    store = LocalStore(str(root))
    with pytest.raises(UnstableError):
        store.write("a/b/c", stream_of(b"1", size_bytes=2), expect=ABSENT)
    assert [path.name for path in root.iterdir()] == [".reconcile"]


def test_a_note_that_was_cut_off_is_no_note(root):
    store = LocalStore(str(root))
    put(store, "a/x", b"1")
    with (root / ".reconcile" / "dirs").open("ab") as notes:
        notes.write(b"+their")
    (root / "their").mkdir()
    entry = put(store, "their/x", b"1")
    LocalStore(str(root)).delete([("their/x", entry.version)])
    assert (root / "their").is_dir()


def test_notes_that_cannot_be_made_hinder_nobody(root, tmp_path):
    (root / ".reconcile").symlink_to(tmp_path)
    store = LocalStore(str(root))
    entry = put(store, "a/b", b"1")
    assert store.delete([("a/b", entry.version)]) == [None]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["root"]


@pytest.mark.hazard("T17")
def test_after_a_note_that_was_cut_off_the_next_one_counts(root):
    put(LocalStore(str(root)), "a/x", b"1")
    with (root / ".reconcile" / "dirs").open("ab") as notes:
        notes.write(b"+their")
    entry = put(LocalStore(str(root)), "ours/x", b"1")
    (root / "their").mkdir()
    theirs = put(LocalStore(str(root)), "their/x", b"1")
    assert LocalStore(str(root)).delete([("ours/x", entry.version), ("their/x", theirs.version)]) == [None, None]
    assert sorted(path.name for path in root.iterdir()) == [".reconcile", "a", "their"]


@pytest.mark.hazard("T17")
def test_a_directory_that_came_back_with_the_power_is_still_ours(root):
    """Its end is on the disk before the note that tells of it."""
    put(LocalStore(str(root)), "a/b", b"1")
    disk = Faulty()
    store = LocalStore(str(root), disk=disk)
    entry = store.stat("a/b")
    store.delete([("a/b", entry.version)])
    removed = disk.calls.index("rmdir")
    assert disk.calls[removed + 1] == "sync_directory"
    assert "write" in disk.calls[removed + 2 :], "the note comes behind"


@pytest.mark.hazard("T17")
def test_the_root_and_what_is_above_it_are_made_to_last(tmp_path):
    disk = Faulty()
    store = LocalStore(str(tmp_path / "one" / "two"), disk=disk)
    store.ensure()
    assert disk.calls == ["mkdir", "sync_directory"] * 2
    assert store.ensure() == []


def test_an_empty_directory_that_a_dead_run_left_stands_in_no_files_way(root):
    put(LocalStore(str(root)), "a/b", b"1")
    (root / "a" / "b").unlink()
    put(LocalStore(str(root)), "a", b"file")
    assert (root / "a").read_bytes() == b"file"
    (root / "theirs").mkdir()
    with pytest.raises(StoreError):
        put(LocalStore(str(root)), "theirs", b"file")
    assert (root / "theirs").is_dir()


def test_a_directory_that_another_run_made_at_the_same_moment_is_ours(root):
    """Who was stopped before it made one finds it made when it goes on, and must not note that it is a stranger's."""
    LocalStore(str(root)).delete([("x", put(LocalStore(str(root)), "x", b"1").version)])

    def overtaken(step, told, done):
        if step == "disk.mkdir" and not done and told[1].name == "a":
            HOOKS.remove(overtaken)
            put(LocalStore(str(root)), "a/b", b"1")

    HOOKS.append(overtaken)
    put(LocalStore(str(root)), "a/c", b"1")
    assert overtaken not in HOOKS
    later = LocalStore(str(root))
    assert later.delete([(key, later.stat(key).version) for key in ("a/b", "a/c")]) == [None] * 2
    put(later, "a", b"a file now")
