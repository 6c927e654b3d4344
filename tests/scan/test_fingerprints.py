"""A digest this machine knows is taken only when nothing about the file has changed since."""

import hashlib
import os
import time

from hypothesis import given
from hypothesis import strategies as st
import pytest

from reconcile.core.entry import Entry, Kind, Problem
from reconcile.core.fingerprint import COARSE_GRANULE_NS, GRANULE_NS, is_racy, local_version
from reconcile.scan.fingerprints import annotate
from reconcile.scan.hashing import LocalFile, hash_file
from reconcile.scan.system import Calls
from tests.scan.trees import plant, scan

SECOND_NS = 1_000_000_000


def remembered(root):
    """The digests a full reading of the tree gives, as the cache would give them back."""
    entries = [hash_file(LocalFile(str(root), entry.key))[1] for entry in scan(root)]
    return [(entry.key, entry.version, entry.digest) for entry in entries]


def known(root, memory, **options):
    return {entry.key: entry.digest for entry in annotate(scan(root, **options), iter(memory))}


def test_an_unchanged_file_is_known_and_a_new_one_is_not(tmp_path):
    memory = remembered(plant(tmp_path, {"a": "1", "b/c": "2", "d": "3"}))
    plant(tmp_path, {"b/new": "4"})
    digests = known(tmp_path, memory)
    assert digests["b/c"] == hashlib.sha256(b"2").digest()
    assert digests["b/new"] is None
    assert list(digests) == ["a", "b/c", "b/new", "d"]


@pytest.mark.hazard("L06")
def test_an_edit_with_its_time_put_back_is_seen(tmp_path):
    file = plant(tmp_path, {"a": "old"}) / "a"
    kept = file.stat()
    memory = remembered(tmp_path)
    file.write_text("new")
    os.utime(file, ns=(kept.st_atime_ns, kept.st_mtime_ns))
    assert file.stat().st_mtime_ns == kept.st_mtime_ns
    assert known(tmp_path, memory) == {"a": None}


@pytest.mark.hazard("L06")
def test_the_known_blind_spot_is_a_forged_change_time(tmp_path):
    """Size, both times and inode equal: only reading tells, which is what `--checksum` is for."""
    file = plant(tmp_path, {"a": "old"}) / "a"
    kept = file.stat()
    memory = remembered(tmp_path)
    file.write_text("new")
    forged = Calls(stat=lambda name, **how: kept if name == "a" else os.stat(name, **how))
    assert known(tmp_path, memory, calls=forged) == {"a": hashlib.sha256(b"old").digest()}
    assert hash_file(LocalFile(str(tmp_path), "a"))[0].sha256 == hashlib.sha256(b"new").digest()


@pytest.mark.hazard("L07")
def test_a_time_that_goes_back_is_a_change(tmp_path):
    file = plant(tmp_path, {"a": "old"}) / "a"
    memory = remembered(tmp_path)
    file.write_text("new")
    os.utime(file, ns=(0, file.stat().st_mtime_ns - 3600 * SECOND_NS))
    assert known(tmp_path, memory) == {"a": None}


@pytest.mark.hazard("L08")
def test_a_touched_file_is_read_again_and_found_equal(tmp_path):
    file = plant(tmp_path, {"a": "same"}) / "a"
    memory = remembered(tmp_path)
    os.utime(file)
    assert known(tmp_path, memory) == {"a": None}
    assert hash_file(LocalFile(str(tmp_path), "a"))[0].sha256 == memory[0][2]


@pytest.mark.hazard("L28")
@pytest.mark.parametrize("field", ["st_ino", "st_ctime_ns"])
def test_a_file_system_with_restless_inodes_or_times_costs_reading_never_truth(tmp_path, field):
    plant(tmp_path, {"a": "same"})
    memory = remembered(tmp_path)
    fired = []

    class Restless:
        def __init__(self, seen):
            self.seen = seen

        def __getattr__(self, name):
            fired.append(name == field)
            return getattr(self.seen, name) + (name == field)

    restless = Calls(stat=lambda name, **how: Restless(os.stat(name, **how)))
    assert known(tmp_path, memory, calls=restless) == {"a": None}
    assert any(fired)
    assert hash_file(LocalFile(str(tmp_path), "a"))[0].sha256 == memory[0][2]


@pytest.mark.hazard("L05")
@pytest.mark.parametrize(
    ("mtime_ns", "ctime_ns", "read_ns", "worth"),
    [
        (5, 5, 5 + GRANULE_NS + 1, True),
        (5, 5, 5 + GRANULE_NS, False),
        (5, 7 + GRANULE_NS, 6 + 2 * GRANULE_NS, False),
        (2 * SECOND_NS, 3 * SECOND_NS, 3 * SECOND_NS + COARSE_GRANULE_NS, False),
        (2 * SECOND_NS, 3 * SECOND_NS, 4 * SECOND_NS + COARSE_GRANULE_NS, True),
        (10 * SECOND_NS, 5, 5 * SECOND_NS, False),
    ],
)
def test_what_was_touched_just_before_the_reading_is_not_remembered(mtime_ns, ctime_ns, read_ns, worth):
    assert is_racy(local_version(1, mtime_ns, ctime_ns, 7), read_ns) is not worth


@pytest.mark.hazard("L05")
def test_a_fresh_file_is_not_worth_remembering(tmp_path):
    read_ns = time.time_ns()
    [entry] = scan(plant(tmp_path, {"a": "x"}))
    assert is_racy(entry.version, read_ns)
    assert not is_racy(entry.version, entry.mtime_ns + 10 * SECOND_NS)


keyed = st.lists(st.text("abc/é", min_size=1, max_size=3), unique=True, max_size=12).map(sorted)


@given(keyed, keyed, st.sets(st.text("abc/é", min_size=1, max_size=3)))
def test_the_join_is_what_a_dictionary_would_give(here, there, stale):
    entries = [Entry(key, 1, "v", 2, None, Kind.FILE, executable=True) for key in here]
    memory = [(key, "old" if key in stale else "v", key.encode()) for key in there]
    at_once = {key: digest for key, version, digest in memory if version == "v"}
    expected = [Entry(key, 1, "v", 2, at_once.get(key), Kind.FILE, executable=True) for key in here]
    assert list(annotate(entries, iter(memory))) == expected


def test_only_files_are_annotated():
    others = [Problem("a", "unread"), Entry("b", 1, "v", kind=Kind.SYMLINK), Entry("c/", 0, "v", kind=Kind.DIRECTORY)]
    memory = [("a", "v", b"1"), ("b", "v", b"2"), ("c/", "v", b"3")]
    assert list(annotate(others, iter(memory))) == others
