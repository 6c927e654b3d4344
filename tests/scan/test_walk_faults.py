"""What the walk says when the file system fails it, lies, or changes under its feet. Unknown is never absent."""

import errno
import os
from pathlib import Path
import tempfile

import pytest

from reconcile.core.entry import Cover, Kind
from reconcile.core.errors import DeniedError
from reconcile.scan.descent import HANDLES
from reconcile.scan.filters import Rules
from reconcile.scan.system import Calls
from tests.scan.trees import keys, kinds, plant, problems, scan

IGNORING = Rules(ignore_files=(".reconcileignore",))


class Faulty:
    """A call that fails with `code`, or first lets `meanwhile` happen, when its first argument is `about`."""

    def __init__(self, real, about, code=0, meanwhile=lambda: None):
        self.real, self.about, self.code, self.meanwhile = real, about, code, meanwhile
        self.fired = 0

    def __call__(self, target, *rest, **options):
        if target == self.about:
            self.fired += 1
            self.meanwhile()
            if self.code:
                raise OSError(self.code, os.strerror(self.code))
        return self.real(target, *rest, **options)


@pytest.fixture
def locked_out():
    """A directory that everybody may enter, to be scanned by somebody without privileges."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        root.chmod(0o755)
        yield root
        for path in root.rglob("*"):
            path.chmod(0o755)


def as_nobody(work):
    """The result of `work` done without root's right to read everything."""
    if os.geteuid() != 0:
        return work()
    os.seteuid(65534)
    try:
        return work()
    finally:
        os.seteuid(0)


@pytest.mark.hazard("L17")
def test_an_unreadable_directory_is_unknown_and_the_rest_goes_on(locked_out):
    plant(locked_out, {"a/x": "", "b/secret": "", "b/deep/secret": "", "c/y": ""})
    (locked_out / "b").chmod(0o000)
    found = as_nobody(lambda: scan(locked_out))
    assert keys(found) == ["a/x", "c/y"]
    [problem] = problems(found)
    assert (problem.key, problem.cover) == ("b", Cover.TREE)
    assert problem.covers("b/deep/secret")
    assert "permission denied" in problem.reason


def test_an_unreadable_root_is_an_error(locked_out):
    locked_out.chmod(0o000)
    with pytest.raises(DeniedError):
        as_nobody(lambda: scan(locked_out))


@pytest.mark.hazard("L17")
def test_names_that_may_be_listed_but_not_looked_at_are_unknown(locked_out):
    plant(locked_out, {"b/x": "", "b/y/z": "", "c": ""})
    (locked_out / "b").chmod(0o444)
    found = as_nobody(lambda: scan(locked_out))
    assert keys(found) == ["c"]
    assert [problem.key for problem in problems(found)] == ["b/x", "b/y"]


@pytest.mark.hazard("L16")
def test_an_unreadable_file_is_listed_for_it_is_there(locked_out):
    plant(locked_out, {"a": "x"})
    (locked_out / "a").chmod(0o000)
    assert keys(as_nobody(lambda: scan(locked_out))) == ["a"]


@pytest.mark.parametrize("code", [errno.EIO, errno.EACCES, errno.ESTALE])
def test_a_file_that_cannot_be_looked_at_is_unknown(tmp_path, code):
    plant(tmp_path, {"a": "", "b": "", "c": ""})
    look = Faulty(os.stat, "b", code)
    found = scan(tmp_path, calls=Calls(stat=look))
    assert look.fired
    assert keys(found) == ["a", "c"]
    assert [(problem.key, problem.cover) for problem in problems(found)] == [("b", Cover.TREE)]


@pytest.mark.hazard("L18")
def test_a_file_that_is_gone_before_it_is_looked_at_is_absent(tmp_path):
    plant(tmp_path, {"a": "", "b": "", "c": ""})
    look = Faulty(os.stat, "b", meanwhile=(tmp_path / "b").unlink)
    found = scan(tmp_path, calls=Calls(stat=look))
    assert look.fired
    assert keys(found) == ["a", "c"]
    assert problems(found) == []


@pytest.mark.hazard("L18")
def test_a_directory_that_vanishes_is_absent_when_its_parent_says_so(tmp_path):
    plant(tmp_path, {"a/x": "", "b/": None, "c/y": ""})
    enter = Faulty(os.open, "b", meanwhile=(tmp_path / "b").rmdir)
    found = scan(tmp_path, calls=Calls(open=enter))
    assert enter.fired
    assert keys(found) == ["a/x", "c/y"]
    assert problems(found) == []


@pytest.mark.hazard("L18")
def test_a_directory_that_vanishes_and_comes_back_is_unknown(tmp_path):
    plant(tmp_path, {"a/x": "", "b/z": "", "c/y": ""})
    enter = Faulty(os.open, "b", errno.ENOENT)
    found = scan(tmp_path, calls=Calls(open=enter))
    assert enter.fired
    assert keys(found) == ["a/x", "c/y"]
    assert [(problem.key, problem.cover) for problem in problems(found)] == [("b", Cover.TREE)]


@pytest.mark.hazard("L13")
def test_a_directory_that_became_a_link_is_not_followed(tmp_path):
    plant(tmp_path, {"b/": None, "other/secret": ""})

    def swap():
        (tmp_path / "b").rmdir()
        (tmp_path / "b").symlink_to("other")

    enter = Faulty(os.open, "b", meanwhile=swap)
    found = scan(tmp_path, calls=Calls(open=enter))
    assert enter.fired
    assert keys(found) == ["other/secret"]
    assert [problem.key for problem in problems(found)] == ["b"]


def test_a_file_that_became_a_directory_is_unknown(tmp_path):
    plant(tmp_path, {"b": ""})

    def swap():
        (tmp_path / "b").unlink()
        (tmp_path / "b").mkdir()

    look = Faulty(os.stat, "b", meanwhile=swap)
    [problem] = scan(tmp_path, calls=Calls(stat=look))
    assert look.fired
    assert (problem.key, problem.cover) == ("b", Cover.TREE)


@pytest.mark.hazard("L17")
def test_a_listing_that_breaks_off_makes_the_directory_unknown(tmp_path):
    plant(tmp_path, {"a/x": "", "b/1": "", "b/2": "", "c/y": ""})

    class Broken:
        def __init__(self, found):
            self.found = found

        def __enter__(self):
            return self

        def __exit__(self, *error):
            self.found.close()

        def __iter__(self):
            yield next(self.found)
            raise OSError(errno.EIO, "input/output error")

    inode = (tmp_path / "b").stat().st_ino

    def scandir(fd):
        found = os.scandir(fd)
        return Broken(found) if os.fstat(fd).st_ino == inode else found

    found = scan(tmp_path, calls=Calls(scandir=scandir))
    assert keys(found) == ["a/x", "c/y"]
    assert [(problem.key, problem.cover) for problem in problems(found)] == [("b", Cover.TREE)]


def test_too_many_names_for_the_temporary_disk_make_the_directory_unknown(tmp_path, monkeypatch):
    import sqlite3

    plant(tmp_path, {"a/x": "", "b/1": "", "b/2": "", "b/3": ""})

    def full(*_, **__):
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(sqlite3, "connect", full)
    found = scan(tmp_path, spill_names=3)
    assert keys(found) == ["a/x"]
    assert [problem.key for problem in problems(found)] == ["b"]


def test_a_directory_moved_away_while_we_are_deep_below_it_makes_the_rest_unknown(tmp_path):
    depth = HANDLES + 3
    deep = "d/" * depth
    plant(tmp_path, {f"{deep}x": "", "d/z": "", "d0": "", "e": ""})

    def move():
        (tmp_path / "d").rename(tmp_path / "away")

    look = Faulty(os.stat, "x", meanwhile=move)
    found = scan(tmp_path, calls=Calls(stat=look))
    assert look.fired
    assert keys(found) == [f"{deep}x", "d0", "e"]
    lost = problems(found)
    assert lost
    assert any(problem.covers("d/z") for problem in lost)
    assert not any(problem.covers("e") for problem in lost)


def test_a_directory_replaced_while_we_are_deep_below_it_is_not_taken_for_it(tmp_path):
    deep = "d/" * (HANDLES + 3)
    plant(tmp_path, {f"{deep}x": "", "d/z": "", "e": ""})

    def replace():
        (tmp_path / "d").rename(tmp_path / "away")
        plant(tmp_path, {f"{deep}y": "", "d/other": ""})

    look = Faulty(os.stat, "x", meanwhile=replace)
    found = scan(tmp_path, calls=Calls(stat=look))
    assert look.fired
    assert keys(found) == [f"{deep}x", "e"]
    assert any(problem.covers("d/z") for problem in problems(found))


@pytest.mark.parametrize("kind", ["link", "fifo", "directory", "unreadable"])
def test_an_ignore_file_that_cannot_be_read_makes_its_directory_unknown(tmp_path, kind):
    plant(tmp_path, {"a/secret": "", "b/x": ""})
    rules = tmp_path / "a/.reconcileignore"
    calls = Calls()
    match kind:
        case "link":
            rules.symlink_to("secret")
        case "fifo":
            os.mkfifo(rules)
        case "directory":
            rules.mkdir()
        case "unreadable":
            rules.touch()
            inode = rules.stat().st_ino
            calls = Calls(read=lambda fd, size: fail() if os.fstat(fd).st_ino == inode else os.read(fd, size))
    found = scan(tmp_path, rules=IGNORING, calls=calls)
    assert keys(found) == ["b/x"]
    [problem] = problems(found)
    assert (problem.key, problem.cover) == ("a", Cover.TREE)
    assert ".reconcileignore" in problem.reason


def fail():
    raise OSError(errno.EIO, "input/output error")


@pytest.mark.hazard("L10")
@pytest.mark.hazard("L11")
@pytest.mark.hazard("L12")
def test_links_are_named_and_not_followed(tmp_path):
    plant(tmp_path, {"root/a": "", "outside/secret": ""})
    root = tmp_path / "root"
    (root / "loop").symlink_to(".")
    (root / "out").symlink_to("../outside")
    (root / "dangling").symlink_to("nowhere")
    assert kinds(scan(root)) == {
        "a": Kind.FILE,
        "dangling": Kind.SYMLINK,
        "loop": Kind.SYMLINK,
        "out": Kind.SYMLINK,
    }


def followed(root):
    return scan(root, symlinks="follow")


def test_links_inside_the_root_stand_for_what_they_lead_to(tmp_path):
    plant(tmp_path, {"real/x": "12", "real/sub/y": "", "link.txt": ""})
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "real/sub/file").symlink_to("../x")
    found = followed(tmp_path)
    assert keys(found) == sorted(keys(found))
    assert keys(found) == [
        "link.txt", "link/sub/file", "link/sub/y", "link/x", "real/sub/file", "real/sub/y", "real/x",
    ]  # fmt: skip
    sizes = {entry.key: entry.size for entry in found}
    assert sizes["link/sub/file"] == 2
    assert keys(scan(tmp_path, "link/sub", symlinks="follow")) == ["link/sub/file", "link/sub/y"]


@pytest.mark.hazard("L10")
def test_a_followed_loop_is_a_problem_and_ends(tmp_path):
    plant(tmp_path, {"a/x": ""})
    (tmp_path / "a/b").symlink_to("..")
    (tmp_path / "self").symlink_to("self")
    found = followed(tmp_path)
    assert keys(found) == ["a/x"]
    assert {problem.key for problem in problems(found)} == {"a/b", "self"}


@pytest.mark.hazard("L11")
@pytest.mark.parametrize("target", ["outside", "outside/secret", "root-not"])
def test_a_followed_link_never_leads_outside(tmp_path, target):
    plant(tmp_path, {"root/a": "", "outside/secret": "", "root-not/secret": ""})
    (tmp_path / "root/link").symlink_to(tmp_path / target)
    found = followed(tmp_path / "root")
    assert keys(found) == ["a"]
    [problem] = problems(found)
    assert problem.covers("link/secret")
    assert "outside" in problem.reason


def test_a_followed_link_never_leads_to_what_is_never_sent(tmp_path):
    plant(tmp_path, {".git/config": "token", "a": ""})
    (tmp_path / "link").symlink_to(".git/config")
    (tmp_path / "links").symlink_to(".git")
    found = followed(tmp_path)
    assert keys(found) == ["a"]
    assert [problem.key for problem in problems(found)] == ["link", "links"]


@pytest.mark.hazard("L12")
def test_a_dangling_link_is_a_problem_when_it_should_be_followed(tmp_path):
    (tmp_path / "link").symlink_to("nowhere")
    [problem] = followed(tmp_path)
    assert (problem.key, problem.cover) == ("link", Cover.TREE)


def test_a_followed_link_to_a_special_file_is_one(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link").symlink_to("fifo")
    assert kinds(followed(tmp_path)) == {"fifo": Kind.SPECIAL, "link": Kind.SPECIAL}
