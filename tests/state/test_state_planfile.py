"""A plan file from anywhere: cut, damaged, edited or made to harm, it is refused with exit code 5."""

from __future__ import annotations

from contextlib import closing
import os
from pathlib import Path
import random
import shutil
import sqlite3

import pytest

from reconcile.core.errors import ReconcileError, StalePlanError
from reconcile.state.planfile import load_plan

GOLDEN = max((Path(__file__).parents[1] / "golden" / "plans").glob("*/every_action.plan"))
ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i FROM n) SELECT i FROM n"


@pytest.fixture
def path(tmp_path):
    return Path(shutil.copy(GOLDEN, tmp_path / "a.plan"))


def told(path):
    return load_plan(str(path)).id, list(load_plan(str(path)).changes())


@pytest.mark.hazard("P13")
def test_a_plan_that_was_cut_is_stale(path):
    size = path.stat().st_size
    for cut in [*range(size - 1, 4096, -509), *range(4096, -1, -64)]:
        os.truncate(path, cut)
        with pytest.raises(StalePlanError) as refusal:
            load_plan(str(path))
        assert refusal.value.exit_code == 5
        assert refusal.value.hint


@pytest.mark.hazard("P13")
@pytest.mark.hazard("S03")
def test_a_plan_with_other_bytes_is_refused_or_says_the_same(path):
    whole, content = told(path), path.read_bytes()
    chance = random.Random(13)
    refused = 0
    for _ in range(400):
        changed = bytearray(content)
        for _ in range(chance.choice([1, 1, 2, 8])):
            changed[chance.randrange(len(changed))] = chance.randrange(256)
        path.write_bytes(changed)
        try:
            assert told(path) == whole
        except StalePlanError:
            refused += 1
    assert refused > 100


HARM = {
    "a view that never ends": f"CREATE VIEW more AS {ENDLESS}",
    "a view in a table's place": "DROP TABLE changes; CREATE VIEW changes AS SELECT 1 number, '' mapping, 2 document",
    "a trigger": "CREATE TRIGGER t AFTER INSERT ON changes BEGIN DELETE FROM header; END",
    "no header": "DELETE FROM header",
    "numbers for text": "UPDATE header SET document = 17",
    "bytes for text": "UPDATE changes SET document = x'ff00'",
    "a header in bytes": "UPDATE header SET document = CAST(document AS BLOB)",
    "a change in bytes": "UPDATE changes SET document = CAST(document AS BLOB)",
    "nothing for text": "UPDATE header SET id = x''",
    "a deep document": "UPDATE header SET document = replace(hex(zeroblob(50000)), '00', '[')",
    "a path upwards": "UPDATE changes SET document = replace(document, 'old.txt', '../../etc/passwd')",
    "another kind of file": "PRAGMA application_id = 1",
    "one action more": "INSERT INTO changes SELECT 99, mapping, document FROM changes WHERE number = 1",
    "one action less": "DELETE FROM changes WHERE number = 3",
    "another order": "UPDATE changes SET number = 99 WHERE number = 1",
    "another mapping": "UPDATE changes SET mapping = 'other' WHERE number = 1",
}


@pytest.mark.hazard("S03")
@pytest.mark.parametrize("harm", HARM)
def test_a_plan_made_to_harm_is_refused(path, harm):
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(HARM[harm])
    with pytest.raises(ReconcileError) as refusal:
        told(path)
    assert refusal.value.exit_code == 5


@pytest.mark.hazard("S03")
@pytest.mark.parametrize("content", [b"", b"yes", b"{}", b"SQLite format 3\0" + bytes(4000), os.urandom(5000)])
def test_what_is_no_plan_is_refused(path, content):
    path.write_bytes(content)
    with pytest.raises(StalePlanError):
        load_plan(str(path))
