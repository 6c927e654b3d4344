"""Small random trees: few names, few contents, so that they meet in every way names and contents can meet."""

from __future__ import annotations

import os
from pathlib import Path
import stat
from typing import Any

from hypothesis import strategies as st

NAMES = ("a", "b", "c", "a/b", "a/c", "b/x", "b/x/y", "d", "d/e/f")
CONTENTS = ("", "1", "2", "33", "44")


def fits(tree: dict[str, Any], name: str) -> bool:
    """Whether a name can stand in a tree: nothing is both a file and a directory."""
    return not any(one == name or one.startswith(name + "/") or name.startswith(one + "/") for one in tree)


def _consistent(pairs: list[tuple[str, str]]) -> dict[str, str]:
    tree: dict[str, str] = {}
    for name, content in pairs:
        if fits(tree, name):
            tree[name] = content
    return tree


def trees(max_size: int = 7) -> st.SearchStrategy[dict[str, str]]:
    pairs = st.tuples(st.sampled_from(NAMES), st.sampled_from(CONTENTS))
    return st.lists(pairs, max_size=max_size).map(_consistent)


def make(root: Path, tree: dict[str, str]) -> None:
    """Turns the files below `root` into the tree; what stays the same is not touched."""
    for path in sorted(root.rglob("*"), reverse=True):
        name = path.relative_to(root).as_posix()
        if path.is_symlink() or path.is_file():
            if name not in tree:
                path.unlink()
        elif not any(path.iterdir()):
            path.rmdir()
    for name, content in tree.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.is_file() or path.read_text() != content:
            path.write_text(content)


def files_below(root: str) -> dict[str, bytes]:
    """Every file of a tree with its bytes; no link is followed."""
    found = {}
    for at, _, names in os.walk(root):
        below = at[len(root) + 1 :]
        for name in names:
            if stat.S_ISREG(os.lstat(path := f"{at}/{name}").st_mode):
                with open(path, "rb") as file:
                    found[f"{below}/{name}" if below else name] = file.read()
    return found
