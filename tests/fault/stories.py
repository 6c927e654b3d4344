"""What is swept for faults: runs that do everything there is to do, on services of several kinds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from tests.fault.storm import ATTEMPTS, LARGE, Story

BEFORE: Final = {
    "same": "stays as it is",
    "edited": "old text",
    "large": "old " * 50,
    "gone": "to be deleted",
    "old-name": "moved about",
    "log": "log 0",
    "log.1": "log 1",
    "swap-a": "one side",
    "swap-b": "the other side",
    "file": "becomes a directory",
    "directory/one": "becomes a file",
    "directory/two": "with it",
}
AFTER: Final = {
    "same": "stays as it is",
    "edited": "new text",
    "large": "new " * 50,
    "large-new": "quite new " * 20,
    "new/deep/name": "moved about",
    "log": "log 2",
    "log.1": "log 0",
    "log.2": "log 1",
    "swap-a": "the other side",
    "swap-b": "one side",
    "file/one": "in it",
    "file/two": "and more",
    "directory": "file now",
    "fresh/new": "new as well",
}
MANY: Final = {f"many/{at:02}": f"one of many {at}" for at in range(6)}
FEW: Final = {"edited": "old text", "large": "old " * 50, "gone": "to be deleted", "old-name": "moved about"}
THEN: Final = {"edited": "new text", "large": "new " * 50, "name": "moved about", "more": "new"}

STORIES: Final[dict[str, Story]] = {
    "everything": Story(BEFORE, AFTER),
    "all over again": Story(BEFORE, AFTER, prior="crashed"),
    "at first": Story({}, FEW, prior="nothing"),
    "nothing kept": Story(FEW | MANY, THEN, {"keep": "never"}),
    "read back": Story(FEW, THEN, {"verify_writes": True}),
    "adopted": Story(BEFORE, BEFORE, prior="lost state"),
    "small pages": Story(FEW | MANY, THEN | MANY, server={"page": 3}),
    "no conditions": Story(BEFORE, AFTER, server={"conditions": False}),
}


def small_limits(change: Callable[[str, int], object]) -> None:
    """What is large, how long an answer may be, how often one is asked for, in small numbers; `change` sets a name."""
    change("reconcile.flow.step.SMALL_BYTES", LARGE)
    change("reconcile.stores.objects.store.SMALL_BYTES", LARGE)
    change("reconcile.stores.objects.s3_multipart.PART_BYTES", LARGE)
    change("reconcile.stores.objects.s3_wire.ANSWER_BYTES", 50_000)
    change("reconcile.stores.patience.ATTEMPTS", ATTEMPTS)
