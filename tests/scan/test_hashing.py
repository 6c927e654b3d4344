"""Bytes count only when the file held still; a stream hands out its end only when all of it is proven."""

import hashlib
import io
import os
import resource
import socket
import subprocess
import sys

from hypothesis import given
from hypothesis import strategies as st
import pytest

from reconcile.core.errors import DeniedError, NotFoundError, RefusedError, StoreError, UnstableError
from reconcile.scan.hashing import CHUNK_BYTES, TRIES, LocalFile, hash_file, read_stable
from reconcile.scan.stream import StableStream, open_stable
from reconcile.scan.system import Calls
from tests.scan.test_walk_faults import as_nobody, locked_out  # noqa: F401 - a fixture
from tests.scan.trees import plant, scan

BIG = bytes(range(256)) * (3 * CHUNK_BYTES // 256) + b"tail"


class Between:
    """Real calls, with `meanwhile` let in once, before the read number `at`."""

    def __init__(self, at, meanwhile, *, once=True):
        self.at, self.meanwhile, self.once = at, meanwhile, once
        self.reads = self.fired = 0

    def read(self, fd, size):
        if self.reads == self.at and not (self.once and self.fired):
            self.fired += 1
            self.meanwhile()
        self.reads = self.reads + 1
        return os.read(fd, size)

    def fstat(self, fd):
        return os.fstat(fd)

    @property
    def calls(self):
        return Calls(read=self.read)


def sha256(data):
    return hashlib.sha256(data).digest()


def drained(stream, size=CHUNK_BYTES):
    """What a receiver has got when the stream ends or breaks, and the error."""
    got = b""
    try:
        while chunk := stream.read(size):
            got += chunk
    except StoreError as error:
        return got, error
    finally:
        stream.close()
    return got, None


@pytest.mark.parametrize("content", [b"", b"x", BIG[:CHUNK_BYTES], BIG], ids=len)
def test_what_is_read_is_told(tmp_path, content):
    plant(tmp_path, {"dir/file": content})
    file = LocalFile(str(tmp_path), "dir/file")
    data, hashes, entry = read_stable(file, md5=True)
    [listed] = scan(tmp_path)
    assert data == content
    assert hashes.sha256 == entry.digest == sha256(content)
    assert hashes.md5 == hashlib.md5(content).digest()
    assert (entry.version, entry.size) == (listed.version, len(content))
    assert hash_file(file, md5=True) == (hashes, entry)
    assert hash_file(file)[0].md5 == b""
    assert drained(open_stable(file)) == (content, None)


def test_a_root_may_be_a_handle(tmp_path):
    plant(tmp_path, {"dir/file": "x"})
    root = os.open(tmp_path, os.O_RDONLY)
    try:
        assert read_stable(LocalFile(root, "dir/file"))[0] == b"x"
    finally:
        os.close(root)


def test_a_small_file_takes_one_read(tmp_path):
    plant(tmp_path, {"file": b"x" * 1000})
    count = Between(-1, lambda: None)
    assert hash_file(LocalFile(str(tmp_path), "file", calls=count.calls))[1].size == 1000
    assert count.reads == 1


@pytest.mark.hazard("L01")
@pytest.mark.parametrize("at", range(4))
@pytest.mark.parametrize("work", [read_stable, hash_file])
def test_an_edit_between_two_reads_is_never_mixed_in(tmp_path, at, work):
    file = plant(tmp_path, {"file": BIG}) / "file"
    other = BIG[::-1]

    def edit():
        with file.open("r+b") as out:
            out.write(other)

    meanwhile = Between(at, edit)
    *_, entry = work(LocalFile(str(tmp_path), "file", calls=meanwhile.calls))
    assert meanwhile.fired == 1
    assert entry.digest == sha256(other)


@pytest.mark.hazard("L01")
@pytest.mark.parametrize("work", [read_stable, hash_file])
def test_a_file_that_never_holds_still_is_unstable(tmp_path, work):
    file = plant(tmp_path, {"file": BIG}) / "file"
    clock = iter(range(1, 1000))
    meanwhile = Between(0, lambda: os.utime(file, ns=(0, next(clock))), once=False)
    meanwhile.read = lambda fd, size: (meanwhile.meanwhile(), os.read(fd, size))[1]
    with pytest.raises(UnstableError, match="keeps changing"):
        work(LocalFile(str(tmp_path), "file", calls=Calls(read=meanwhile.read)))
    assert next(clock) > TRIES


@pytest.mark.hazard("L01")
@pytest.mark.parametrize("change", ["grow", "cut", "edit"])
def test_a_file_that_is_not_as_listed_is_unstable(tmp_path, change):
    file = plant(tmp_path, {"file": "0123456789"}) / "file"
    [listed] = scan(tmp_path)
    kept = file.stat()
    file.write_bytes({"grow": b"0123456789a", "cut": b"0", "edit": b"9876543210"}[change])
    os.utime(file, ns=(kept.st_atime_ns, kept.st_mtime_ns))
    source = LocalFile(str(tmp_path), "file", version=listed.version)
    for work in (read_stable, hash_file, StableStream):
        with pytest.raises(UnstableError, match="since it was listed"):
            work(source)


def test_a_small_file_that_grew_large_is_not_read_into_memory(tmp_path):
    plant(tmp_path, {"file": b"x" * 11})
    with pytest.raises(UnstableError, match="grown to 11 bytes"):
        read_stable(LocalFile(str(tmp_path), "file"), limit_bytes=10)


@pytest.mark.hazard("L15")
@pytest.mark.parametrize("kind", ["fifo", "socket", "directory", "link", "link above"])
def test_what_is_no_longer_a_file_is_never_waited_for_nor_followed(tmp_path, kind):
    plant(tmp_path, {"dir/": None, "elsewhere/file": "secret"})
    file = tmp_path / "dir/file"
    match kind:
        case "fifo":
            os.mkfifo(file)
        case "socket":
            with socket.socket(socket.AF_UNIX) as end:
                end.bind(os.path.relpath(file))
        case "directory":
            file.mkdir()
        case "link":
            file.symlink_to("../elsewhere/file")
        case "link above":
            (tmp_path / "dir").rmdir()
            (tmp_path / "dir").symlink_to("elsewhere")
    for work in (read_stable, hash_file, StableStream):
        with pytest.raises(UnstableError, match="not a regular file"):
            work(LocalFile(str(tmp_path), "dir/file"))


def test_a_link_inside_the_root_is_read_when_links_are_followed(tmp_path):
    plant(tmp_path, {"root/real/file": "x", "outside": "secret"})
    (tmp_path / "root/link").symlink_to("real")
    (tmp_path / "root/out").symlink_to("../outside")
    root = str(tmp_path / "root")
    assert read_stable(LocalFile(root, "link/file", follow=True))[0] == b"x"
    with pytest.raises(StoreError, match="outside the root"):
        read_stable(LocalFile(root, "out", follow=True))


@pytest.mark.hazard("L16")
def test_an_unreadable_file_is_denied_and_a_missing_one_not_found(locked_out):  # noqa: F811 - the fixture
    plant(locked_out, {"file": "x"})
    (locked_out / "file").chmod(0o000)
    for work in (read_stable, hash_file, StableStream):
        with pytest.raises(DeniedError) as caught:
            as_nobody(lambda work=work: work(LocalFile(str(locked_out), "file")))
        assert (caught.value.op, caught.value.path) == ("read", "file")
        with pytest.raises(NotFoundError):
            work(LocalFile(str(locked_out), "gone"))
    with pytest.raises(NotFoundError):
        hash_file(LocalFile(str(locked_out / "nowhere"), "file"))
    with pytest.raises(RefusedError):
        hash_file(LocalFile(str(locked_out / "file"), "file"))


@pytest.mark.parametrize("work", [read_stable, hash_file, lambda file: StableStream(file).read()])
def test_a_disk_error_is_an_error_of_the_store(tmp_path, work):
    plant(tmp_path, {"file": "x"})

    def broken(_fd, _size):
        raise OSError(5, "Input/output error")

    with pytest.raises(StoreError, match="input/output error"):
        work(LocalFile(str(tmp_path), "file", calls=Calls(read=broken)))


@pytest.mark.hazard("L02")
@pytest.mark.parametrize("at", range(1, 5))
def test_an_edit_while_a_stream_is_sent_never_lets_its_end_out(tmp_path, at):
    file = plant(tmp_path, {"file": BIG}) / "file"
    sealed = []

    def edit():
        with file.open("r+b") as out:
            out.seek(len(BIG) - 1)
            out.write(b"!")

    meanwhile = Between(at, edit)
    source = LocalFile(str(tmp_path), "file", calls=meanwhile.calls)
    got, error = drained(StableStream(source, on_sealed=sealed.append))
    assert meanwhile.fired == 1
    assert isinstance(error, UnstableError)
    assert len(got) < len(BIG)
    assert sealed == []


@pytest.mark.hazard("L03")
@pytest.mark.parametrize("at", range(4))
def test_a_file_cut_short_while_it_is_sent_never_ends(tmp_path, at):
    file = plant(tmp_path, {"file": BIG}) / "file"
    meanwhile = Between(at, lambda: os.truncate(file, 10))
    got, error = drained(StableStream(LocalFile(str(tmp_path), "file", calls=meanwhile.calls)))
    assert meanwhile.fired == 1
    assert isinstance(error, UnstableError)
    assert len(got) < len(BIG)


def test_a_file_that_grows_while_it_is_sent_never_ends(tmp_path):
    file = plant(tmp_path, {"file": BIG}) / "file"

    def grow():
        with file.open("ab") as out:
            out.write(b"more")

    got, error = drained(StableStream(LocalFile(str(tmp_path), "file", calls=Between(2, grow).calls)))
    assert isinstance(error, UnstableError)
    assert len(got) < len(BIG)


@pytest.mark.hazard("L02")
def test_a_pinned_digest_is_checked_before_the_end_is_let_out(tmp_path):
    plant(tmp_path, {"file": BIG})
    file = LocalFile(str(tmp_path), "file")
    assert drained(StableStream(file, digest=sha256(BIG))) == (BIG, None)
    got, error = drained(StableStream(file, digest=sha256(b"other")))
    assert len(got) < len(BIG)
    assert "not what the plan saw" in error.message


def test_the_last_bytes_wait_for_the_seal(tmp_path):
    plant(tmp_path, {"file": BIG, "empty": b""})
    order = []
    with StableStream(LocalFile(str(tmp_path), "file"), on_sealed=order.append) as stream:
        left = len(BIG)
        while left > 0:
            assert order == []
            left -= len(stream.read(CHUNK_BYTES))
        assert order == [sha256(BIG)]
        assert stream.read() == b""
        assert order == [sha256(BIG)]
    with StableStream(LocalFile(str(tmp_path), "empty"), on_sealed=order.append) as stream:
        assert stream.read(0) == b""
        assert len(order) == 1
        assert stream.read(1) == b""
    assert order[1:] == [sha256(b"")]


def test_a_seal_that_fails_keeps_the_end_back(tmp_path):
    plant(tmp_path, {"file": BIG})

    def refuse(_digest):
        raise UnstableError("the lease is gone")

    got, error = drained(StableStream(LocalFile(str(tmp_path), "file"), on_sealed=refuse))
    assert error.message == "the lease is gone"
    assert len(got) < len(BIG)


@given(st.lists(st.integers(0, 9), max_size=20), st.binary(max_size=30))
def test_reads_are_as_long_as_asked_until_the_end(tmp_path_factory, sizes, content):
    root = plant(tmp_path_factory.mktemp("stream"), {"file": content})
    one_by_one = Calls(read=lambda fd, size: os.read(fd, min(size, 1)))
    with StableStream(LocalFile(str(root), "file", calls=one_by_one)) as stream, io.BytesIO(content) as plain:
        assert [stream.read(size) for size in sizes] == [plain.read(size) for size in sizes]
        assert stream.read() == plain.read()


def test_a_stream_is_what_libraries_expect(tmp_path):
    plant(tmp_path, {"file": b"one\ntwo"})
    file = LocalFile(str(tmp_path), "file")
    with io.BufferedReader(StableStream(file)) as buffered:
        assert buffered.readlines() == [b"one\n", b"two"]
    stream = StableStream(file)
    assert stream.readable()
    assert not stream.seekable()
    assert stream.readall() == b"one\ntwo"
    stream.close()
    stream.close()
    with pytest.raises(ValueError, match="closed"):
        stream.read()


@pytest.mark.hazard("L25")
def test_a_huge_sparse_file_is_hashed_in_little_memory(tmp_path):
    with (tmp_path / "huge").open("wb") as out:
        out.truncate(200 << 20)
    code = (
        "import resource, sys\n"
        "from reconcile.scan.hashing import LocalFile, hash_file\n"
        "from reconcile.scan.stream import StableStream\n"
        "file = LocalFile(sys.argv[1], 'huge')\n"
        "resource.setrlimit(resource.RLIMIT_AS, (150 << 20, 150 << 20))\n"
        "digest = hash_file(file)[0].sha256\n"
        "stream = StableStream(file, digest=digest)\n"
        "while stream.read(8 << 20): pass\n"
        "print(digest.hex())\n"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.stdout.strip() == hashlib.sha256(bytes(200 << 20)).hexdigest()


def test_no_handle_is_left_open(tmp_path):
    plant(tmp_path, {"dir/file": BIG})
    before, limits = os.listdir("/proc/self/fd"), resource.getrlimit(resource.RLIMIT_NOFILE)
    file = LocalFile(str(tmp_path), "dir/file")
    read_stable(file)
    hash_file(file)
    drained(StableStream(file))
    with pytest.raises(UnstableError):
        StableStream(LocalFile(str(tmp_path), "dir/file", version="other"))
    assert (os.listdir("/proc/self/fd"), resource.getrlimit(resource.RLIMIT_NOFILE)) == (before, limits)
