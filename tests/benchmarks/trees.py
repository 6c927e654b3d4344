"""Trees of files with known names, known bytes and one known time, made as fast as a file system allows.

The n-th tree of a size is always the same tree: a server can tell its listing without ever having been sent a byte.
Run as a program, `python -m tests.benchmarks.trees DIR COUNT …`, the making costs whoever measures no memory.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
import os
from pathlib import Path
import subprocess
import sys

PER_DIRECTORY = 1000
WRITTEN = 1_704_067_200
"""When every file of every tree was written: 2024-01-01, Unix seconds."""


def names(count: int, per_directory: int = PER_DIRECTORY) -> Iterator[str]:
    """`count` names in byte order.

    Each directory `d0000/` has a sibling `d0000.txt`, which comes first: a store that lists by path segment instead of
    by bytes shows itself. `per_directory` 0 puts all into one directory.
    """
    if not per_directory:
        yield from (f"f{number:07}.txt" for number in range(count))
        return
    for number in range(count):
        directory, rest = divmod(number, per_directory)
        yield f"d{directory:05}/f{rest:04}.txt" if rest else f"d{directory:05}.txt"


def content(name: str) -> bytes:
    """The few bytes of a small file."""
    return f"{name}\n".encode()


def make(folder: Path, count: int, *, per_directory: int = PER_DIRECTORY, size: int = 0) -> None:
    """Makes a tree in this process: `size` bytes a file, no two alike (0: `content` alone)."""
    folder.mkdir(parents=True)
    made = ""
    for name in names(count, per_directory):
        parent = os.path.dirname(name)
        if parent != made:
            (folder / parent).mkdir(exist_ok=True)
            made = parent
        data = content(name)
        path = f"{folder}/{name}"
        with open(path, "wb") as file:
            file.write(data.ljust(size, b"."))
        os.utime(path, (WRITTEN, WRITTEN))


def make_apart(folder: Path, count: int, *, per_directory: int = PER_DIRECTORY, size: int = 0) -> None:
    """Makes a tree in a process of its own; none when it is there already."""
    if not folder.exists():
        options = [f"--per-directory={per_directory}", f"--size={size}"]
        command = [sys.executable, "-m", "tests.benchmarks.trees", str(folder), str(count), *options]
        subprocess.run(command, cwd=Path(__file__).parents[2], check=True)


def main() -> None:
    """Makes one tree."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("count", type=int)
    parser.add_argument("--per-directory", type=int, default=PER_DIRECTORY)
    parser.add_argument("--size", type=int, default=0)
    asked = parser.parse_args()
    make(asked.folder, asked.count, per_directory=asked.per_directory, size=asked.size)


if __name__ == "__main__":
    main()
