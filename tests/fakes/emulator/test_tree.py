"""What is kept, in memory, on disk and as digests."""

from contextlib import suppress
import gc
from hashlib import sha256
import os
from pathlib import Path
import threading

import pytest

from tests.fakes.databricks import Emulator
from tests.fakes.databricks.faults import lose_before
from tests.fakes.databricks.tree import MEMORY_BYTES, Content, Directory, FileInTheWayError, Joined, Tree


def open_files():
    """How many files without a name this process holds."""
    gc.collect()
    held = []
    for each in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            held.append(os.readlink(each))
    return sum(name.endswith(" (deleted)") for name in held)


@pytest.mark.parametrize(
    "pieces", [[b""], [b"one", b"", b"two"], [bytes(MEMORY_BYTES), b"more", b"and more"], [b"x" * 70_000] * 40]
)
def test_what_was_appended_is_read(pieces):
    content, data = Content(), b"".join(pieces)
    for piece in pieces:
        content.append(piece)
    assert content.size == len(data)
    assert content.read() == b"".join(content.chunks()) == data
    assert content.read(3, 5) == data[3:8]
    assert content.read(len(data) - 2, 9) == data[-2:]
    assert content.read(len(data) + 1, 9) == b""
    assert content.sha256 == sha256(data).hexdigest()


def test_large_contents_hold_a_file_only_while_they_live():
    before = open_files()
    content = Content()
    for _ in range(3):
        content.append(bytes(MEMORY_BYTES))
    assert open_files() == before + 1
    del content
    assert open_files() == before


def test_beyond_what_is_kept_there_is_a_digest():
    data = os.urandom(5000)
    content = Content(keep_bytes=1000)
    for at in range(0, len(data), 700):
        content.append(data[at : at + 700])
    assert (content.size, content.sha256, content.forgotten) == (5000, sha256(data).hexdigest(), True)
    assert content.read(4990, 100) == bytes(10)


def test_parts_are_read_as_one():
    parts = []
    for piece in (b"one", b"", bytes(MEMORY_BYTES + 1), b"end"):
        parts.append(Content())
        parts[-1].append(piece)
    joined, data = Joined(parts), b"one" + bytes(MEMORY_BYTES + 1) + b"end"
    assert (joined.size, joined.read(), joined.sha256) == (len(data), data, sha256(data).hexdigest())
    assert joined.read(1, 4) == data[1:5]
    assert joined.read(len(data) - 5, 99) == data[-5:]


def test_reading_goes_on_beside_appending():
    content, wrong = Content(), []

    def read():
        while content.size < 4 * MEMORY_BYTES:
            data = content.read()
            if data.strip(b"x"):
                wrong.append(len(data))

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(64):
        content.append(b"x" * (MEMORY_BYTES // 16))
    reader.join()
    assert wrong == []


def test_a_tree_makes_what_a_path_needs_and_nothing_through_files():
    tree = Tree(lambda: 1_700_000_000.5)
    file = tree.put(("a", "b", "c"), Content(b"1"))
    assert file.modified_ms == 1_700_000_000_500
    assert isinstance(tree.find(("a", "b")), Directory)
    assert tree.find(("a", "b", "c", "d")) is None
    for make in (lambda: tree.put(("a", "b", "c", "d"), Content()), lambda: tree.mkdirs(("a", "b", "c", "d"))):
        with pytest.raises(FileInTheWayError, match="/a/b/c"):
            make()
    assert [parts for parts, _ in tree.walk()] == [("a",), ("a", "b"), ("a", "b", "c")]
    tree.remove(("a", "b", "c"), prune=True)
    assert list(tree.walk()) == []


def test_all_can_be_as_it_was():
    with Emulator() as emulator:
        for path in ("dbfs:/a", "/Volumes/c/s/v/a", "/Workspace/Shared/a"):
            emulator.put(path, b"old")
        before, kept = emulator.tree(), emulator.kept()
        emulator.faults.add(lose_before())
        for _ in range(2):
            emulator.remove("dbfs:/a")
            emulator.put("/Volumes/c/s/v/a", b"new")
            emulator.put("/Volumes/c/s/v/b/c", b"new")
            emulator.restore(kept)
            assert emulator.tree() == before
        assert list(emulator.log) == []
