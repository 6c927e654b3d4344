"""Hazards as stories any program can be put through: a tree that is synced, what then befalls it, what should be there.

`before` makes the tree, `befalls` changes it (or its target) between two runs. It returns what the target should hold:
every key with its content. A story is `uneasy` when something could not be read or should be refused: then a program
that ends with 0 has not told.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
import os
from pathlib import Path
import shutil
from typing import Any

Tree = dict[str, bytes]
A_DAY_NS = 86_400 * 10**9
STEM = {f"d{number % 4}/f{number:02}.txt": f"content {number}".encode() for number in range(20)}


@dataclass(frozen=True)
class Target:
    """The bucket behind the programs' backs; keys are below the prefix."""

    client: Any
    bucket: str
    prefix: str

    def held(self) -> Tree:
        """Every key with its content."""
        found: Tree = {}
        for page in self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=f"{self.prefix}/"):
            for item in page.get("Contents", ()):
                key = item["Key"][len(self.prefix) + 1 :]
                if not key.startswith(".reconcile/"):
                    found[key] = self.client.get_object(Bucket=self.bucket, Key=item["Key"])["Body"].read()
        return found

    def put(self, key: str, data: bytes) -> None:
        self.client.put_object(Bucket=self.bucket, Key=f"{self.prefix}/{key}", Body=data)


@dataclass(frozen=True)
class Story:
    """One hazard. `exclude` is added to the second run."""

    hazard: str
    told: str
    befalls: Callable[[Path, Target], Tree]
    before: Tree | None = None
    uneasy: bool = False
    humble: bool = False
    exclude: str = ""


def grow(root: Path, tree: Tree) -> None:
    """Writes the tree, an hour old, so that nothing is fresh."""
    for name, data in tree.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        age(path, 3_600 * 10**9)


def age(path: Path, by_ns: int) -> None:
    """Puts the modification time back."""
    now = path.stat().st_mtime_ns
    os.utime(path, ns=(now - by_ns, now - by_ns))


def _same_size_same_time(root: Path, _target: Target) -> Tree:
    path = root / "d1/f01.txt"
    told = path.stat()
    path.write_bytes(b"CONTENT 1")
    os.utime(path, ns=(told.st_atime_ns, told.st_mtime_ns))
    return STEM | {"d1/f01.txt": b"CONTENT 1"}


def _older(root: Path, _target: Target) -> Tree:
    path = root / "d1/f01.txt"
    path.write_bytes(b"CONTENT 1")
    age(path, A_DAY_NS)
    return STEM | {"d1/f01.txt": b"CONTENT 1"}


def _swap(root: Path, _target: Target) -> Tree:
    one, other = root / "d1/f01.txt", root / "d1/f05.txt"
    one.rename(root / "between")
    other.rename(one)
    (root / "between").rename(other)
    return STEM | {"d1/f01.txt": STEM["d1/f05.txt"], "d1/f05.txt": STEM["d1/f01.txt"]}


def _chain(root: Path, _target: Target) -> Tree:
    names = ["d0/f00.txt", "d0/f04.txt", "d0/f08.txt"]
    (root / "d0/f12.txt").unlink()
    for old, new in (("d0/f08.txt", "d0/f12.txt"), ("d0/f04.txt", "d0/f08.txt"), ("d0/f00.txt", "d0/f04.txt")):
        (root / old).rename(root / new)
    moved = {"d0/f12.txt": STEM[names[2]], "d0/f08.txt": STEM[names[1]], "d0/f04.txt": STEM[names[0]]}
    return {key: data for key, data in (STEM | moved).items() if key != names[0]}


def _unreadable_file(root: Path, _target: Target) -> Tree:
    (root / "d1/f01.txt").write_bytes(b"an edit nobody may read")
    (root / "d1/f01.txt").chmod(0)
    return STEM


def _unreadable_directory(root: Path, _target: Target) -> Tree:
    (root / "d1").chmod(0)
    return STEM


def _nothing(_root: Path, _target: Target) -> Tree:
    return STEM


def _missing(root: Path, _target: Target) -> Tree:
    root.rename(root.with_name("elsewhere"))
    return STEM


def _empty(root: Path, _target: Target) -> Tree:
    shutil.rmtree(root)
    root.mkdir()
    return STEM


def _most_gone(root: Path, _target: Target) -> Tree:
    for directory in ("d0", "d1", "d2"):
        shutil.rmtree(root / directory)
    return STEM


def _link_outside(root: Path, _target: Target) -> Tree:
    outside = root.with_name("outside")
    outside.mkdir()
    (outside / "passwords").write_bytes(b"secret")
    (root / "link").symlink_to(outside)
    return STEM


def _loop(root: Path, _target: Target) -> Tree:
    (root / "d1/loop").symlink_to("..")
    return STEM


def _becomes_link(root: Path, _target: Target) -> Tree:
    (root / "d1/f01.txt").unlink()
    (root / "d1/f01.txt").symlink_to("/nowhere")
    return STEM


def _ignored(_root: Path, _target: Target) -> Tree:
    return STEM


def _stranger(_root: Path, target: Target) -> Tree:
    target.put("strangers.txt", b"of another team")
    return STEM | {"strangers.txt": b"of another team"}


def _edited_there(root: Path, target: Target) -> Tree:
    target.put("d1/f01.txt", b"the edit of another team")
    (root / "d1/f01.txt").write_bytes(b"our own edit, later")
    return STEM | {"d1/f01.txt": b"the edit of another team"}


def _appeared_there(root: Path, target: Target) -> Tree:
    target.put("d1/new.txt", b"of another team")
    (root / "d1/new.txt").write_bytes(b"ours, and longer")
    return STEM | {"d1/new.txt": b"of another team"}


def _sibling(_root: Path, target: Target) -> Tree:
    target.client.put_object(Bucket=target.bucket, Key=f"{target.prefix}2/other.txt", Body=b"sibling")
    return STEM


def _file_becomes_directory(root: Path, _target: Target) -> Tree:
    (root / "d1/f01.txt").unlink()
    grow(root, {"d1/f01.txt/inner": b"deep"})
    return {key: data for key, data in (STEM | {"d1/f01.txt/inner": b"deep"}).items() if key != "d1/f01.txt"}


def _directory_becomes_file(root: Path, _target: Target) -> Tree:
    shutil.rmtree(root / "d1")
    grow(root, {"d1": b"a file"})
    return {key: data for key, data in STEM.items() if not key.startswith("d1/")} | {"d1": b"a file"}


def _twins_moved(root: Path, _target: Target) -> Tree:
    (root / "twin-1").rename(root / "twin-3")
    return STEM | {"twin-2": b"same", "twin-3": b"same", "empty-1": b"", "empty-2": b""}


TWINS = STEM | {"twin-1": b"same", "twin-2": b"same", "empty-1": b"", "empty-2": b""}
NAMES = {
    name: name.encode()
    for name in (
        "a b", "a+b", "a%2Fb", "a#b", "a?b", "a&b", "caf\u00e9", "cafe\u0301", "\U0001f600", "tab\there",
        "quote\"'", "[set]", "*star*", "-dash", " lead", "trail ", "con", "\u202ebidi",
    )
}  # fmt: skip


def _as_named(_root: Path, _target: Target) -> Tree:
    return NAMES


def _not_utf8(root: Path, _target: Target) -> Tree:
    (root / os.fsdecode(b"bad-\xff")).write_bytes(b"x")
    (root / "new.txt").write_bytes(b"sent all the same")
    return STEM | {"new.txt": b"sent all the same"}


def _too_long(root: Path, _target: Target) -> Tree:
    grow(root, {"/".join(["n" * 200] * 6): b"x", "new.txt": b"sent all the same"})
    return STEM | {"new.txt": b"sent all the same"}


STORIES = [
    Story("L06", "an edit of the same size, its time put back", _same_size_same_time),
    Story("L07", "an edit of the same size, with an older time", _older),
    Story("P02", "two files of one size swap their names", _swap),
    Story("P01", "a chain of renames", _chain),
    Story("P06", "one of two twins is renamed; empty files beside", _twins_moved, before=TWINS),
    Story("P03", "a file becomes a directory", _file_becomes_directory),
    Story("P03", "a directory becomes a file", _directory_becomes_file),
    Story("L16", "an edited file may not be read", _unreadable_file, uneasy=True, humble=True),
    Story("L17", "a directory may not be read", _unreadable_directory, uneasy=True, humble=True),
    Story("L20", "the source is missing", _missing, uneasy=True),
    Story("L21", "the source is empty (a disk that is not mounted)", _empty, uneasy=True),
    Story("P08", "three quarters of the files are gone", _most_gone, uneasy=True),
    Story("L11", "a link leads out of the tree", _link_outside),
    Story("L10", "a link leads in a circle", _loop),
    Story("L13", "a file becomes a dangling link", _becomes_link),
    Story("L30", "what was synced is excluded from now on", _ignored, exclude="d1/*"),
    Story("R30", "a stranger's object stands under the prefix", _stranger),
    Story("R18", "both sides changed one file", _edited_there, uneasy=True),
    Story("R20", "a stranger's object has the name of a new file", _appeared_there, uneasy=True),
    Story("N12", "a sibling prefix begins with the same letters", _sibling),
    Story("N13", "names with signs, spaces, accents in two spellings, controls", _as_named, before=NAMES),
    Story("N05", "a name that is no UTF-8", _not_utf8, uneasy=True),
    Story("N07", "a key that is too long", _too_long, uneasy=True),
    Story("P12", "nothing changed", _nothing),
]
