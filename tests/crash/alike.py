"""What a run left, but for what differs by chance: of two that left the same, the next run makes the same."""

from __future__ import annotations

from collections.abc import Mapping
import os
from pathlib import Path
import re

from reconcile.core.entry import Version
from reconcile.stores.seen import version_of
from tests.crash.blackouts import read_state
from tests.flow.world import World

BY_CHANCE = re.compile(r"[0-9a-f]+(-[0-9a-f]+){3}|-?\d+\.\d+|[0-9a-f]{8,}|-?\d{6,}")
"""Versions of files, times, tokens and checks: no two runs have the same."""


def left(world: World, then: Mapping[Version, Version]) -> str:
    """All that is found in the target and in the state, with a number for what differs by chance.

    `then` are the versions that the files of a target had which was put back.
    """
    target = []
    for at, below, names in os.walk(world.out):
        target.append((at, repr(sorted(below))))
        for path in (Path(at, name) for name in names):
            seen = path.lstat()
            version = version_of(seen)
            target.append((str(path), repr((seen.st_mode, then.get(version, version), path.read_bytes()))))
    state = Path(world.state)
    numbers: dict[str, int] = {}
    found = repr((sorted(target), sorted(os.listdir(state.parent)), read_state(state)))
    return BY_CHANCE.sub(lambda match: f"#{numbers.setdefault(match[0], len(numbers))}", found)
