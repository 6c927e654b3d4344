"""A rollback acts on what is remembered of runs; where a row of that was lost, it does nothing at all."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
import sqlite3

import pytest

from reconcile.core.errors import CorruptStateError
from reconcile.state import opening
from tests.flow.small_trees import make
from tests.flow.undo_kit import undo
from tests.flow.world import World

LOST = [
    "DELETE FROM past WHERE run = 2 AND key = 'a'",
    "DELETE FROM past WHERE run = 3 AND key = 'b'",
    "DELETE FROM outcomes WHERE run = 2 AND key = 'a'",
    "DELETE FROM reached WHERE run = 2",
    "DELETE FROM runs WHERE id = 3",
    "DELETE FROM records WHERE key = 'a'",
]


@pytest.mark.hazard("T03")
@pytest.mark.parametrize("statement", LOST)
def test_a_rollback_does_not_act_on_a_history_that_lost_a_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, statement: str
) -> None:
    world = World(tmp_path)
    for tree in ({"a": "1", "b": "1"}, {"a": "22", "b": "22"}, {"a": "22", "b": "333"}):
        make(world.src, tree)
        world.apply()
    with closing(sqlite3.connect(world.state)) as connection, connection:
        assert connection.execute(statement).rowcount == 1
    monkeypatch.setattr(opening, "_SMALL", -1)  # a state that is too large to be read before it is opened
    with pytest.raises(CorruptStateError):
        undo(world, 2)
    assert world.there() == {"a": "22", "b": "333"}
