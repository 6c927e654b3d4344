"""The recorder of what a run does to its disk, and the disks made of what it recorded."""

import random

from tests.crash.power import Loss, synced_at
from tests.crash.writelog import Recorder


def test_an_inode_that_was_a_file_and_is_a_directory_now_is_another_node(tmp_path):
    (tmp_path / "f").write_bytes(b"x")
    recorder = Recorder(tmp_path, "besides")
    number = recorder._number(str(tmp_path / "f"))
    (tmp_path / "f").unlink()
    (tmp_path / "d").mkdir()
    recorder._numbers[(tmp_path / "d").stat().st_ino] = number  # a file system uses it again, if it likes
    (tmp_path / "d" / "g").write_bytes(b"y")
    recorder.check()
    log = recorder.log
    for seed in range(50):
        image = Loss(log, synced_at(log), len(log.operations), random.Random(seed)).image
        for name, node in image.directory(0).items():
            assert image.nodes[node].names is not None or name == "f"
