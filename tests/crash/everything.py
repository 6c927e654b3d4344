"""A world in which every kind of change is due at once; and its parts, small worlds with some of the kinds each."""

from __future__ import annotations

import os
from pathlib import Path

from reconcile.core.path import has_control
from tests.flow.small_trees import files_below, make
from tests.flow.world import World

BEFORE = {
    "edited": "old text",
    "gone": "to be deleted",
    "old-name": "moved about",
    "log": "log 0",
    "log.1": "log 1",
    "log.2": "log 2",
    "swap-a": "one side",
    "swap-b": "the other side",
    "file": "becomes a directory",
    "directory/one": "becomes a file",
    "directory/two": "with it",
    "drifted": "as it was",
    "lost": "will vanish there",
    "mode": "made executable",
    "steady": "stays",
    "same-1": "twins",
    "same-2": "twins",
    "gone-both": "gone on both sides",
}
AFTER = {
    "edited": "new text",
    "new/deep/name": "moved about",
    "log": "log 3",
    "log.1": "log 0",
    "log.2": "log 1",
    "log.3": "log 2",
    "swap-a": "the other side",
    "swap-b": "one side",
    "file/one": "in it",
    "file/two": "and more",
    "directory": "file now",
    "drifted": "as it was",
    "lost": "will vanish there",
    "mode": "made executable",
    "steady": "stays",
    "same-1": "twins",
    "same-3": "twins",
    "fresh/empty": "",
    "fresh/new": "quite new",
    "adopted": "there already",
}


PARTS = {
    "edits": ("edited", "gone", "drifted", "lost", "mode", "steady", "gone-both", "fresh", "adopted"),
    "moves": ("old-name", "new", "log", "log.1", "log.2", "log.3", "swap-a", "swap-b"),
    "shapes": ("file", "directory", "same-1", "same-2", "same-3"),
}
"""The names at the top of each part; what is due in one hangs on nothing in another."""


def ready(root: Path, part: str = "") -> World:
    """A world where every kind of action is due, or those of a part."""
    root.mkdir()
    world = World(root, options={"guard": {"max_delete": "off"}})
    make(world.src, _of(part, BEFORE))
    world.apply()
    make(world.src, _of(part, AFTER))
    if part in ("", "edits"):
        (world.src / "mode").chmod(0o755)
        (world.out / "drifted").write_text("an edit there")
        (world.out / "lost").unlink()
        (world.out / "gone-both").unlink()
        world.write("adopted", "there already", world.out)
    world.write("stranger", "not ours", world.out)
    return world


def _of(part: str, tree: dict[str, str]) -> dict[str, str]:
    return {name: text for name, text in tree.items() if not part or name.split("/")[0] in PARTS[part]}


def check_recovered(world: World) -> None:
    """One apply, without help, and all is as it should be; a second finds nothing."""
    world.settled()
    found = on_disk(world)
    assert found.pop("stranger") == "not ours"
    assert found == world.here()
    assert "mode" not in found or os.access(world.out / "mode", os.X_OK)


def on_disk(world: World) -> dict[str, str]:
    """Every file of a local target with its text, control files left out, whatever is around the target."""
    return {key: data.decode() for key, data in files_below(str(world.out)).items() if not has_control(key)}
