"""Which disks are this machine's own."""

from __future__ import annotations

import pytest

from reconcile.state.place import is_local

MOUNTS = """\
22 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw
30 22 0:25 / /home/team rw - nfs4 server:/team rw
31 30 0:26 / /home/team/scratch\\040disk rw shared:9 - tmpfs tmpfs rw
32 22 0:27 / /mnt/bucket rw - fuse.s3fs s3fs rw
33 22 0:28 / /mnt/bucket rw - xfs /dev/vdb rw
34 22 0:29 / /mnt/windows rw - 9p drvfs rw
"""


@pytest.mark.parametrize(
    ("path", "local"),
    [
        ("/", True),
        ("/var/lib/state/reconcile.db", True),
        ("/home/team/project/state/reconcile.db", False),
        ("/home/teamwork/state", True),
        ("/home/team/scratch disk/state", True),
        ("/mnt/bucket/state", True),  # the newest mount of a place hides the others
        ("/mnt/windows/Users/me", False),
    ],
)
def test_the_nearest_mount_decides(tmp_path, path, local):
    (tmp_path / "mounts").write_text(MOUNTS)
    assert is_local(path, tmp_path / "mounts") == local


def test_where_the_system_does_not_tell_a_disk_is_local(tmp_path):
    assert is_local("/home/me", tmp_path / "nothing")
    assert is_local(str(tmp_path))
