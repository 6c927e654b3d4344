"""Local files: whole or not at all, as private as they were, and their versions never lie."""

import os
from pathlib import Path
import stat

import pytest

from reconcile.core.entry import ABSENT, ANY, Kind
from reconcile.core.errors import ChangedError, RefusedError, StoreError, UnstableError
from reconcile.stores import confine
from reconcile.stores.local import LocalStore
from reconcile.stores.seen import folds_case
from reconcile.testing.samples import body_of, content, put, stream_of
from tests.stores.disks import Faulty, Meddling


@pytest.fixture
def root(tmp_path):
    (tmp_path / "root").mkdir()
    return tmp_path / "root"


def mode(path):
    return stat.S_IMODE(os.lstat(path).st_mode)


def files(root):
    return sorted(
        str(Path(at, name).relative_to(root))
        for at, _, names in os.walk(root)
        for name in names
        if not at.endswith(".reconcile")
    )


# --- how a file is written


def test_the_steps_of_a_write_and_their_order(root):
    disk = Faulty()
    LocalStore(str(root), disk=disk).write("a", body_of(b"1"), expect=ABSENT)
    assert disk.calls == ["create", "write", "chmod", "sync", "rename_new", "sync_directory", "unlink"]


@pytest.mark.hazard("S13")
@pytest.mark.parametrize(
    ("umask", "plain", "program", "directory"),
    [
        (0o022, 0o644, 0o755, 0o755),
        (0o077, 0o600, 0o700, 0o700),
        (0, 0o644, 0o755, 0o755),
        (0o027, 0o640, 0o750, 0o750),
    ],
)
def test_who_may_read_what(root, umask, plain, program, directory):
    os.umask(umask)
    seen = []
    disk = Meddling("rename_new", lambda old, new: seen.append(os.stat(old.name, dir_fd=old.fd).st_mode))
    written = Meddling("sync", lambda fd: seen.append(os.fstat(fd).st_mode))
    LocalStore(str(root), disk=written).write("first", body_of(b"1"), expect=ABSENT)
    store = LocalStore(str(root), disk=disk)
    store.write("d/plain", body_of(b"1"), expect=ABSENT)
    store.write("d/program", body_of(b"1", executable=True), expect=ABSENT)
    store.write(".reconcile/undo/1/kept", body_of(b"1"), expect=ABSENT)
    assert mode(root / "d/plain") == plain
    assert mode(root / "d/program") == program
    assert mode(root / "d") == directory
    ours = root / ".reconcile"
    assert [mode(ours), mode(ours / "undo"), mode(ours / "undo/1")] == [0o700] * 3
    assert [mode(ours / "undo/1/kept"), mode(ours / "dirs")] == [0o600] * 2
    assert written.fired == disk.fired == 1


@pytest.mark.hazard("S13")
def test_a_file_being_written_is_nobody_elses(root):
    os.umask(0)
    seen = []
    disk = Meddling("write", lambda fd, chunk: seen.append(stat.S_IMODE(os.fstat(fd).st_mode)))
    LocalStore(str(root), disk=disk).write("a", body_of(b"1"), expect=ABSENT)
    assert seen == [0o600]


@pytest.mark.parametrize(
    ("before", "executable", "after"),
    [(0o640, False, 0o640), (0o640, True, 0o750), (0o755, False, 0o644), (0o600, True, 0o700)],
)
def test_an_update_keeps_who_may_read_it(root, before, executable, after):
    store = LocalStore(str(root))
    put(store, "a", b"1")
    (root / "a").chmod(before)
    store.write("a", body_of(b"2", executable=executable), expect=store.stat("a").version)
    assert mode(root / "a") == after


def test_a_version_is_not_told_for_what_somebody_else_wrote_just_then(root):
    def edit(*_args):
        (root / "a").write_bytes(b"somebody else")

    disk = Meddling("sync_directory", edit)
    entry = LocalStore(str(root), disk=disk).write("a", body_of(b"ours"), expect=ABSENT)
    assert disk.fired == 1
    assert entry.size == 4
    assert LocalStore(str(root)).stat("a").version != entry.version


def test_a_directory_in_the_place_of_a_file_stays(root):
    (root / "d").mkdir()
    store = LocalStore(str(root))
    seen = store.stat("d")
    assert seen.kind is Kind.DIRECTORY
    for expect in (ABSENT, ANY, seen.version):
        with pytest.raises(ChangedError):
            store.write("d", body_of(b"1"), expect=expect)
    assert isinstance(store.delete([("d", seen.version)])[0], ChangedError)
    assert (root / "d").is_dir()


@pytest.mark.hazard("R25")
def test_a_file_in_the_place_of_a_directory_stays(root):
    store = LocalStore(str(root))
    put(store, "a", b"1")
    assert store.stat("a/b") is None
    with pytest.raises(ChangedError):
        store.write("a/b", body_of(b"2"), expect=ABSENT)
    assert store.delete([("a/b", ANY)]) == [None]
    assert files(root) == ["a"]


@pytest.mark.hazard("N07")
@pytest.mark.parametrize(("length", "fits"), [(254, True), (255, True), (256, False)])
def test_names_up_to_what_the_disk_takes(root, length, fits):
    store = LocalStore(str(root))
    if fits:
        put(store, "é" * 27 + "n" * (length - 54), b"1")
    else:
        with pytest.raises(RefusedError):
            store.write("é" * 27 + "n" * (length - 54), body_of(b"1"), expect=ABSENT)
        assert files(root) == []


@pytest.mark.hazard("N03")
def test_two_spellings_of_one_letter_are_two_files(root):
    store = LocalStore(str(root))
    composed, decomposed = "caf\N{LATIN SMALL LETTER E WITH ACUTE}", "cafe\N{COMBINING ACUTE ACCENT}"
    put(store, composed, b"1")
    assert store.stat(decomposed) is None
    put(store, decomposed, b"2")
    assert (content(store, composed), content(store, decomposed)) == (b"1", b"2")


@pytest.mark.hazard("L27")
def test_a_path_longer_than_the_system_takes(root):
    store = LocalStore(str(root))
    key = "/".join(["d" * 200] * 30) + "/file"
    entry = put(store, key, b"deep")
    assert content(store, key) == b"deep"
    assert store.delete([(key, entry.version)]) == [None]
    assert list(root.iterdir()) == [root / ".reconcile"]


# --- how a file is read


@pytest.mark.hazard("L01")
def test_a_file_that_changes_while_it_is_read_is_not_believed(root):
    store = LocalStore(str(root))
    entry = put(store, "a", b"x" * (3 << 20))
    for use in (lambda: store.read("a", version=entry.version), lambda: store.read("a")):
        stream = use()
        next(stream)
        with (root / "a").open("r+b") as file:
            file.write(b"y")
        with pytest.raises(UnstableError):
            b"".join(stream)
    with pytest.raises(ChangedError):
        content_of_version(store, entry)


def content_of_version(store, entry):
    return b"".join(store.read(entry.key, version=entry.version))


@pytest.mark.hazard("L15")
def test_a_fifo_is_never_waited_for(root):
    os.mkfifo(root / "pipe")
    store = LocalStore(str(root))
    assert store.stat("pipe").kind is Kind.SPECIAL
    with pytest.raises(RefusedError):
        content(store, "pipe")


@pytest.mark.hazard("L02")
def test_a_file_that_changes_while_it_is_copied_is_not_published(root):
    def edit(*_args):
        with (root / "a").open("r+b") as file:
            file.write(b"2")

    disk = Meddling("clone", edit)
    store = LocalStore(str(root), disk=disk)
    entry = put(store, "a", b"1")
    with pytest.raises(UnstableError):
        store.copy(entry, "b", expect=ABSENT)
    assert disk.fired == 1
    assert files(root) == ["a"]


def test_a_copy_without_help_of_the_system_is_whole(root):
    class NoClone(Faulty):
        def clone(self, source, target, size_bytes):
            return 0

    store = LocalStore(str(root), disk=NoClone())
    data = bytes(range(256)) * 9000
    store.write("a", stream_of(data), expect=ABSENT)
    store.copy(store.stat("a"), "b", expect=ABSENT)
    assert content(store, "b") == data


# --- moving


def test_two_names_of_one_file_become_one(root):
    store = LocalStore(str(root))
    put(store, "a", b"1")
    os.link(root / "a", root / "b")
    here, there = store.stat("a"), store.stat("b")
    with pytest.raises(ChangedError):
        store.move(here, "b", expect=ABSENT)
    assert files(root) == ["a", "b"]
    store.move(store.stat("a"), "b", expect=there.version)
    assert files(root) == ["b"]
    assert content(store, "b") == b"1"


class Unwilling(Faulty):
    """A file system that takes a new spelling and keeps the old one."""

    def rename(self, old, new):
        self.before("rename")


@pytest.mark.hazard("N02")
@pytest.mark.parametrize(("disk", "spelled"), [(Faulty, "README"), (Unwilling, "readme")])
def test_a_new_spelling_never_costs_the_file(root, monkeypatch, disk, spelled):
    """Such a file system is made of its one trait: both spellings lead to one file."""
    monkeypatch.setattr(confine.Spot, "leads_where", lambda one, other: one.name.casefold() == other.name.casefold())
    disk = disk()
    store = LocalStore(str(root), disk=disk)
    entry = put(store, "readme", b"1")
    moved = store.move(entry, "README", expect=ABSENT)
    assert moved.key == "README"
    assert disk.calls.count("rename") == 1
    assert files(root) == [spelled]
    assert (root / spelled).read_bytes() == b"1"


def test_a_move_onto_itself_changes_nothing(root):
    store = LocalStore(str(root))
    entry = put(store, "a", b"1")
    store.move(entry, "a", expect=entry.version)
    assert content(store, "a") == b"1"


def test_a_folding_directory_is_recognised_without_writing(root, monkeypatch):
    assert folds_case(str(root)) is False
    (root / "Name").write_text("1")
    assert folds_case(str(root)) is False
    assert LocalStore(str(root)).traits.key == "identity"
    os.link(root / "Name", root / "nAME")  # both spellings lead to one file
    assert folds_case(str(root)) is True
    assert LocalStore(str(root)).traits.key == "casefold"
    assert folds_case(str(root / "missing")) is False
    monkeypatch.setattr("sys.platform", "darwin")
    assert folds_case(str(root / "missing")) is True


# --- the container


def test_ensure_makes_the_directory_and_those_above(tmp_path):
    os.umask(0)
    store = LocalStore(str(tmp_path / "a" / "b"))
    told = [f"directory {tmp_path / 'a' / 'b'}"]
    assert store.ensure(dry=True) == told
    assert not (tmp_path / "a").exists()
    assert store.ensure() == told
    assert mode(tmp_path / "a" / "b") == 0o755


def test_ensure_says_why_it_cannot(tmp_path):
    (tmp_path / "file").write_text("1")
    with pytest.raises(StoreError):
        LocalStore(str(tmp_path / "file" / "below")).ensure()
