"""State and log as an attacker would write them: read by schema, names looked at again, nothing run."""

from __future__ import annotations

from contextlib import closing, suppress
import os
import random
import sqlite3
import zlib

import msgspec
import pytest

from reconcile.core.entry import ABSENT, ANY, Version
from reconcile.core.errors import CorruptStateError, ReconcileError
from reconcile.ports import Fold, Intent, Run
from reconcile.state.deeds import Founded, Intended
from reconcile.state.lease import acquire
from reconcile.state.log import FORMAT, Entry, Log, _body
from reconcile.state.runs import INTENTS
from reconcile.state.shared import open_shared
from reconcile.state.store import open_state
from reconcile.stores.memory import MemoryStore
from tests.state.state_kit import DOCS, KEYS, FakeClock, bytes_of, everything, fold_keys, made, record, told_by

NAMES = ["../victim", "/etc/passwd", "a/../../b", "a//b", "", "a\0b", "."]
MUTATIONS = int(os.environ.get("RECONCILE_FUZZ", "200"))


@pytest.fixture
def log(monkeypatch, tmp_path):
    """A shared log with a few commits, a snapshot and a beat."""
    monkeypatch.setenv("RECONCILE_CACHE_DIR", str(tmp_path / "first"))
    store = MemoryStore()
    with closing(open_shared(store, write=True)) as state:
        lease = acquire(state, "apply", clock=FakeClock())
        fold_keys(state, lease, KEYS)
        state.keep_generation()
        run = state.begin(Run(0, "apply", 2.0), lease)
        state.journal.intend([Intent(run, 1, DOCS.id, "b", "create", Version(""))])
        state.fold(run, [Fold(DOCS.id, 1, put=record("new"))], [], lease)
        lease.renew(run=run)
    return store


def fresh(log, monkeypatch, tmp_path, number=0):
    """What a machine that never saw the log makes of it."""
    monkeypatch.setenv("RECONCILE_CACHE_DIR", str(tmp_path / f"machine-{number}"))
    with closing(open_shared(log)) as state:
        return told_by(state)


def mutated(content, chance):
    changed = bytearray(content)
    for _ in range(chance.choice([1, 1, 2, 4])):
        at = chance.randrange(len(changed) + 1)
        how = chance.random()
        if how < 0.6 and at < len(changed):
            changed[at] = chance.randrange(256)
        elif how < 0.8:
            changed[at:at] = chance.randbytes(chance.randrange(9))
        else:
            del changed[at : at + chance.randrange(9)]
    return bytes(changed)


@pytest.mark.hazard("S03")
@pytest.mark.parametrize("packed", [True, False], ids=["the object", "what is in it"])
def test_a_log_that_somebody_else_can_write_is_read_or_refused(log, monkeypatch, tmp_path, packed):
    chance = random.Random(3)
    whole = {item.key: b"".join(log.read(item.key)) for item in log.list()}
    refused = 0
    for number in range(MUTATIONS // 2):
        key = chance.choice(sorted(whole))
        inner = key == "beat" or packed
        content = mutated(whole[key], chance) if inner else zlib.compress(mutated(zlib.decompress(whole[key]), chance))
        log.write(key, _body(content), expect=ANY)
        try:
            fresh(log, monkeypatch, tmp_path, number)
        except ReconcileError:
            refused += 1
        log.write(key, _body(whole[key]), expect=ANY)
    assert refused > MUTATIONS // 20
    assert fresh(log, monkeypatch, tmp_path, "last")


@pytest.mark.hazard("S03")
@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_no_path_has_is_damage(log, monkeypatch, tmp_path, name):
    newest = Log(log, write=False).numbers(0)[-1]
    lineage = Log(log, write=False).entry(newest).lineage
    intent = Intent(1, 1, DOCS.id, name, "create", ABSENT)
    content = msgspec.msgpack.encode(Entry(FORMAT, lineage, "token", Intended([intent])))
    log.write(f"log/{newest + 1:012}", _body(zlib.compress(content)), expect=ABSENT)
    with pytest.raises(CorruptStateError, match="which no path is called"):
        fresh(log, monkeypatch, tmp_path)


@pytest.mark.hazard("S03")
@pytest.mark.parametrize("content", [b"\x91" * 100_000, msgspec.msgpack.encode({"format": FORMAT}), b"\xc1", b""])
def test_a_deed_that_is_none_is_damage(log, monkeypatch, tmp_path, content):
    newest = Log(log, write=False).numbers(0)[-1]
    log.write(f"log/{newest + 1:012}", _body(zlib.compress(content)), expect=ABSENT)
    with pytest.raises(CorruptStateError, match="is damaged") as refusal:
        fresh(log, monkeypatch, tmp_path)
    assert "reconcile adopt" in refusal.value.hint


@pytest.mark.hazard("S03")
def test_an_entry_of_another_family_in_the_log_is_not_followed(log, monkeypatch, tmp_path):
    before = fresh(log, monkeypatch, tmp_path)
    newest = Log(log, write=False).numbers(0)[-1]
    Log(log, write=True).append(newest + 1, "f" * 32, Founded("f" * 32))
    with suppress(ReconcileError):
        assert fresh(log, monkeypatch, tmp_path, 2)[0] == before[0]


HARM = {
    "a trigger": "CREATE TRIGGER t AFTER INSERT ON runs BEGIN DELETE FROM records; END",
    "a view": "CREATE VIEW more AS SELECT * FROM records",
    "an index": "CREATE INDEX i ON records (path)",
    "a table more": "CREATE TABLE more (x)",
    "a view in a table's place": "DROP TABLE intents; CREATE VIEW intents AS SELECT * FROM runs",
}


@pytest.mark.hazard("S03")
@pytest.mark.parametrize("harm", HARM)
def test_a_state_with_more_than_our_tables_is_refused(tmp_path, harm):
    path = made(tmp_path / "reconcile.db")
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(HARM[harm])
    before = bytes_of(tmp_path)
    for write in (False, True):
        with pytest.raises(CorruptStateError, match="not ours") as refusal:
            open_state(str(path), write=write)
        assert bytes_of(tmp_path) == before
        assert "reconcile state push" in refusal.value.hint


@pytest.mark.hazard("S03")
@pytest.mark.parametrize("name", NAMES)
def test_an_intent_that_names_no_path_is_never_settled(tmp_path, name):
    path = made(tmp_path / "reconcile.db")
    with closing(sqlite3.connect(path)) as connection, connection:
        INTENTS.put(connection, [Intent(1, 1, DOCS.id, name, "create", ABSENT)])
    with pytest.raises(CorruptStateError, match="which no path is called"):
        everything(path)
