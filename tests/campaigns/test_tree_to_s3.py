"""A tree of 100,000 files goes to S3, is changed in every way there is, and comes out identical.

`RECONCILE_FILES=10000` makes it smaller. Run: `pytest -m campaign tests/campaigns/test_tree_to_s3.py -n0`.
"""

from __future__ import annotations

from hashlib import md5
import os
from pathlib import Path
import random
import shutil
import subprocess
import sys

import pytest

from tests.servers import KEY_ID, SECRET, Server, seaweed_s3

__all__ = ["seaweed_s3"]

FILES = int(os.environ.get("RECONCILE_FILES", "100000"))
A_DIRECTORY = 100


def grow(root: Path, count: int) -> None:
    """`count` files of a few bytes, a hundred in each directory."""
    for number in range(count):
        directory = root / f"d{number // 10_000:02}" / f"s{number // A_DIRECTORY:04}"
        if number % A_DIRECTORY == 0:
            directory.mkdir(parents=True)
        (directory / f"f{number:06}.txt").write_text(f"{number}\n")


def change_in_every_way(root: Path, chance: random.Random) -> dict[str, int]:
    """Edits, same-size edits with an older time, touches, renames, swaps, deletes, files and directories replaced."""
    names = sorted(path for path in root.rglob("*") if path.is_file())
    chance.shuffle(names)
    share = max(2, len(names) // 200)
    take = iter(names)

    def some() -> list[Path]:
        return [next(take) for _ in range(share)]

    for path in some():
        path.write_text(path.read_text() + "edited\n")
    for path in some():
        before = path.stat()
        path.write_text("x" * before.st_size)
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns - 10**12))
    for path in some():
        os.utime(path)
    for path in some():
        path.rename(path.with_name("renamed " + path.name))
    for one, other in zip(some(), some(), strict=True):
        one.rename(root / "between")
        other.rename(one)
        (root / "between").rename(other)
    for path in some():
        path.unlink()
    for path in some():
        path.unlink()
        path.mkdir()
        (path / "inside").write_text(f"in {path.name}")
    directories = sorted({path.parent for path in some()})[:share]
    for directory in directories:
        shutil.rmtree(directory)
        directory.write_text(f"was {directory.name}")
    return {"each": share, "directories": len(directories)}


def reconcile(here: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "reconcile", "-C", str(here), *arguments], capture_output=True, text=True, check=False
    )


def stored(server: Server, bucket: str, prefix: str) -> dict[str, str]:
    """Key → ETag (the MD5 of these small objects), as another client lists them."""
    pages = server.client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    return {
        item["Key"][len(prefix) :]: item["ETag"].strip('"')
        for page in pages
        for item in page.get("Contents", ())
        if "/.reconcile/" not in f"/{item['Key']}"
    }


@pytest.mark.campaign
def test_a_tree_goes_to_s3_is_changed_in_every_way_and_comes_out_identical(
    seaweed_s3: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = seaweed_s3.bucket()
    for name, value in {
        "AWS_ACCESS_KEY_ID": KEY_ID,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "reconcile.yaml").write_text(
        f"version: 1\nstores:\n  lake: {{url: 's3://{bucket}/team', endpoint: '{seaweed_s3.endpoint}'}}\n"
        "mappings:\n  docs: {source: ./src, target: 'lake:docs'}\n"
    )
    source = tmp_path / "src"
    grow(source, FILES)
    first = reconcile(tmp_path, "apply", "--auto-approve", "-q")
    assert first.returncode == 0, first.stdout + first.stderr
    print(first.stdout.strip().splitlines()[-1])
    print(change_in_every_way(source, random.Random(7)))
    second = reconcile(tmp_path, "apply", "--auto-approve", "-q")
    assert second.returncode == 0, second.stdout[-3000:] + second.stderr
    print(second.stdout.strip().splitlines()[-1])
    here = {
        path.relative_to(source).as_posix(): md5(path.read_bytes(), usedforsecurity=False).hexdigest()
        for path in source.rglob("*")
        if path.is_file()
    }
    assert stored(seaweed_s3, bucket, "team/docs/") == here
    again = reconcile(tmp_path, "plan", "--detailed-exitcode")
    assert (again.returncode, again.stdout.splitlines()[-1]) == (0, f"No changes. {len(here):,} paths in sync.")
