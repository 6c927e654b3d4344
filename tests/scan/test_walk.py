"""The walk yields everything in scope in the order of the keys, and says what it could not read."""

from contextlib import contextmanager
import os
import resource
import stat
import subprocess
import tracemalloc

from hypothesis import given
from hypothesis import strategies as st
import pytest

from reconcile.core.entry import Entry, Kind
from reconcile.core.errors import NotFoundError, RefusedError
from reconcile.core.fingerprint import local_version
from reconcile.core.path import shown
from reconcile.scan.descent import HANDLES
from reconcile.scan.filters import Filter, Rules
from reconcile.scan.single import single
from reconcile.scan.system import Calls
from reconcile.scan.walk import Walked, walk
from tests.scan.trees import keys, kinds, plant, problems, scan, special


def test_keys_come_in_byte_order(tmp_path):
    plant(tmp_path, dict.fromkeys(["a/b", "a.txt", "a-b/c", "a/é", "a/z/y", "a0", "Z", "é", "b/"], "x"))
    assert keys(scan(tmp_path)) == ["Z", "a-b/c", "a.txt", "a/b", "a/z/y", "a/é", "a0", "b/", "é"]


def test_an_entry_tells_size_times_version_and_the_executable_bit(tmp_path):
    plant(tmp_path, {"run": "#!", "text": "four"})
    (tmp_path / "run").chmod(0o755)
    run, text = scan(tmp_path)
    seen = (tmp_path / "text").stat()
    version = local_version(4, seen.st_mtime_ns, seen.st_ctime_ns, seen.st_ino)
    assert text == Entry("text", 4, version, seen.st_mtime_ns)
    assert run.executable
    assert not text.executable


def test_a_directory_is_listed_only_when_nothing_was_found_in_it(tmp_path):
    plant(tmp_path, {"empty/": None, "full/a": "", "nested/empty/": None, "only/.git/config": "", "out/x.log": ""})
    found = kinds(scan(tmp_path, rules=Rules(exclude=("*.log",))))
    assert found == {
        "empty/": Kind.DIRECTORY,
        "full/a": Kind.FILE,
        "nested/empty/": Kind.DIRECTORY,
        "only/": Kind.DIRECTORY,
        "out/": Kind.DIRECTORY,
    }


def test_control_names_are_never_listed(tmp_path):
    plant(tmp_path, dict.fromkeys([".git/x", "a/.git", ".reconcile/x", "a/.reconcile-tmp-1", ".S3/y", "a/.gitignore"]))
    assert keys(scan(tmp_path)) == ["a/.gitignore"]
    assert scan(tmp_path, "a/.git") == []


names = st.text("ab-./0é\n", min_size=1, max_size=3).filter(lambda name: "/" not in name and name not in (".", ".."))
trees = st.dictionaries(st.lists(names, min_size=1, max_size=4).map("/".join), st.just(""), max_size=12)


def planted(root, files):
    """As much of the tree as can stand side by side."""
    for key in files:
        if not any(other.startswith(key + "/") or key.startswith(other + "/") for other in files if other > key):
            plant(root, {key: ""})
    return root


@given(trees, st.sampled_from([1, 2, 3, 200_000]))
def test_any_tree_comes_in_order_and_whole(tmp_path_factory, files, spill_names):
    root = planted(tmp_path_factory.mktemp("tree"), files)
    found = keys(scan(root, spill_names=spill_names))
    assert found == sorted(found, key=os.fsencode)
    assert found == sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())


@given(trees)
def test_a_walk_below_a_directory_is_that_part_of_the_whole(tmp_path_factory, files):
    root = planted(tmp_path_factory.mktemp("tree"), files)
    whole = scan(root)
    for directory in [path.relative_to(root).as_posix() for path in root.rglob("*")]:
        assert scan(root, directory) == [entry for entry in whole if entry.key.startswith(directory + "/")]


def test_a_walk_below_what_is_not_there_is_empty(tmp_path):
    plant(tmp_path, {"a/b": "", "link-to/x": ""})
    assert scan(tmp_path, "nowhere/deep") == []
    assert scan(tmp_path, "a/b") == []
    (tmp_path / "link").symlink_to("link-to")
    assert [problem.key for problem in scan(tmp_path, "link/x")] == ["link"]


@pytest.mark.hazard("L20")
def test_a_missing_root_is_an_error(tmp_path):
    with pytest.raises(NotFoundError):
        scan(tmp_path / "gone")
    plant(tmp_path, {"file": ""})
    with pytest.raises(RefusedError):
        scan(tmp_path / "file")


def test_a_root_that_is_a_link_is_followed(tmp_path):
    plant(tmp_path, {"real/a": ""})
    (tmp_path / "root").symlink_to("real")
    assert keys(scan(tmp_path / "root")) == ["a"]


def test_special_files_are_named_and_never_opened(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    special(tmp_path / "socket")
    assert kinds(scan(tmp_path)) == {"fifo": Kind.SPECIAL, "socket": Kind.SPECIAL}


@pytest.mark.hazard("N05")
def test_a_name_that_is_not_utf8_is_a_problem_beside_the_stream(tmp_path):
    plant(tmp_path, {"a": "", "z": ""})
    (tmp_path / os.fsdecode(b"b\xff")).write_bytes(b"")
    (tmp_path / os.fsdecode(b"d\xff")).mkdir()
    (tmp_path / os.fsdecode(b"d\xff") / "inside").write_bytes(b"")
    found = scan(tmp_path)
    assert keys(found) == ["a", "z"]
    assert {shown(problem.key) for problem in problems(found)} == {r"b\xff", r"d\xff"}
    assert keys(scan(tmp_path, spill_names=1)) == ["a", "z"]
    assert len(problems(scan(tmp_path, spill_names=1))) == 2
    assert problems(scan(tmp_path, rules=Rules(exclude=("b*", "d*/")))) == []


@pytest.mark.hazard("N06")
@pytest.mark.parametrize(
    "name", ["a\nb", "tab\t", "cr\r", "\x1b[31m", "\u202egnp", " ", "~", "\\", "{path}", "a\u0301"]
)
def test_odd_names_are_names(tmp_path, name):
    plant(tmp_path, {f"{name}/{name}": "x"})
    rules = Rules(include=("*",), ignore_files=(".reconcileignore",))
    assert keys(scan(tmp_path)) == keys(scan(tmp_path, rules=rules)) == [f"{name}/{name}"]


class Crowd:
    """A directory of so many files that nobody wants to make them."""

    def __init__(self, count):
        self.count = count
        self.seen = os.stat(__file__)

    @contextmanager
    def scandir(self, _fd):
        yield (Named(f"{number * 7919 % self.count:x}") for number in range(self.count))

    def stat(self, _name, **_how):
        return self.seen


class Named:
    """An entry of a crowd."""

    def __init__(self, name):
        self.name = name

    def is_dir(self, *, follow_symlinks):
        return False


@pytest.mark.hazard("L26")
def test_a_huge_directory_comes_in_order_and_in_bounded_memory(tmp_path):
    crowd = Crowd(40_000)
    stream = walk(
        str(tmp_path),
        selection=Filter(Rules()),
        spill_names=1000,
        calls=Calls(scandir=crowd.scandir, stat=crowd.stat),
    )
    tracemalloc.start()
    try:
        first = next(stream).key
        count, last = 1, first
        for entry in stream:
            assert entry.key > last
            count, last = count + 1, entry.key
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert count == 40_000
    assert peak_bytes < 1 << 20


@pytest.fixture
def deep(tmp_path):
    """A chain of 600 directories with a file before and behind the next one in each; and the deepest key."""
    at = os.open(tmp_path, os.O_RDONLY)
    for depth in range(600):
        for name in ("a", "z"):
            os.close(os.open(name, os.O_CREAT | os.O_WRONLY, 0o644, dir_fd=at))
        if depth < 599:
            os.mkdir("directory", dir_fd=at)
            below = os.open("directory", os.O_RDONLY, dir_fd=at)
            os.close(at)
            at = below
    os.close(at)
    yield tmp_path, "directory/" * 599 + "z"
    subprocess.run(["rm", "-rf", tmp_path / "directory"], check=True)


@pytest.mark.hazard("L27")
def test_depth_has_no_limit_and_few_handles_are_enough(deep):
    root, deepest = deep
    assert len(deepest) > 4096
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/proc/self/fd")) + HANDLES + 8, limits[1]))
    try:
        found = scan(root)
        below = scan(root, deepest.removesuffix("/z"))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert problems(found) == []
    assert keys(found) == sorted(keys(found))
    assert len(found) == 1200
    assert keys(below) == [deepest.removesuffix("z") + "a", deepest]


def test_no_handle_is_left_open(tmp_path):
    plant(tmp_path, {"a/b/c": "", "d": ""})
    before = os.listdir("/proc/self/fd")
    half = walk(str(tmp_path), selection=Filter(Rules()))
    next(half)
    half.close()
    scan(tmp_path)
    assert os.listdir("/proc/self/fd") == before


def test_devices_below_the_root_are_remembered(tmp_path):
    plant(tmp_path, {"here/a": "", "there/b": ""})
    elsewhere = [(tmp_path / "there").stat().st_ino]

    def fstat(fd):
        seen = os.fstat(fd)
        fields = list(seen)
        fields[stat.ST_DEV] += seen.st_ino in elsewhere
        return os.stat_result(fields)

    walked = Walked()
    scan(tmp_path, walked=walked, calls=Calls(fstat=fstat))
    root = tmp_path.stat()
    assert walked.root == (root.st_dev, root.st_ino)
    assert walked.mounts == {"there": root.st_dev + 1}


def test_a_source_that_is_one_file(tmp_path):
    plant(tmp_path, {"dir/one.csv": "a,b"})
    (tmp_path / "link").symlink_to("dir/one.csv")
    assert list(single(str(tmp_path / "dir/one.csv"))) == scan(tmp_path / "dir")
    assert kinds(single(str(tmp_path / "link"))) == {"link": Kind.SYMLINK}
    assert kinds(single(str(tmp_path / "link"), symlinks="follow")) == {"link": Kind.FILE}
    with pytest.raises(NotFoundError):
        list(single(str(tmp_path / "gone")))
    with pytest.raises(RefusedError):
        list(single(str(tmp_path / "dir")))
