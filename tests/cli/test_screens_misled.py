"""Screens that once led a newcomer astray: each says what is so, and what to do."""

from __future__ import annotations

from contextlib import closing
from io import BytesIO
import sqlite3

import pytest

from reconcile.core.entry import ANY
from reconcile.ports import Body
from reconcile.stores.registry import open_store
from tests.fakes.databricks import Emulator


def test_a_scope_is_no_path_and_what_matches_nothing_is_an_error(place):
    place.applied()
    (scope,) = place("state", "list", "--json").json["scopes"]
    for word in (scope["scope"], scope["scope"][:8], "docs"):
        told = place("state", "rm", word)
        assert told.code == 1
        assert f"state rm: {word}: no record matches" in told.err.replace(f"state rm {word}", f"state rm: {word}")
        assert f"reconcile state rm '*' --mapping {scope['scope']}" in told.err
    nothing = place("state", "rm", "nope")
    assert (nothing.code, "reconcile state show" in nothing.err) == (1, True)
    assert place.ok("state", "rm", "*", "--mapping", scope["scope"]).out.startswith("Forgot 3 records")


def test_a_target_that_is_switched_back_and_forth_is_not_called_renamed(place):
    """One spec, two places: to give the records of the one to the other would be wrong."""
    spec = "version: 1\nvariables: {at: ./there}\nmappings:\n  docs: {source: ./docs, target: '${var.at}'}\n"
    place.write("reconcile.yaml", spec)
    place.applied()
    told = place.ok("plan", "--var", "at=./other").out
    assert "orphaned scope: 3 paths" in told
    assert "known again with that" in told
    assert "state mv" not in told
    status = place.ok("status", "--var", "at=./other").out
    assert "untouched, and known again with the spec that had them" in status
    assert "destroy" not in status
    moved = place.ok("state", "mv", "docs", "docs", "--var", "at=./other").out
    assert f"They tell of {(place.root / 'there').as_uri()}; the next plan compares them" in moved


def test_a_mapping_that_was_renamed_is_told_how_it_keeps_its_records(place):
    place.applied()
    place.write("reconcile.yaml", "version: 1\nmappings:\n  papers: {source: ./docs, target: ./there}\n")
    assert "reconcile state mv docs papers" in place.ok("plan").out
    assert "They tell of" not in place.ok("state", "mv", "docs", "papers").out


def test_a_name_that_nothing_has_is_told_what_there_is(place):
    told = place("ls", "nosuch")
    assert told.code == 1
    assert "no mapping is called so either; there are: docs" in told.err
    place.write("reconcile.yaml", "").unlink()
    assert "there is no spec here" in place("ls", "nosuch").err


@pytest.mark.parametrize("root", ["dbfs:/nope", "/Workspace/Shared/nope", "/Volumes/main/default/landing/nope"])
def test_a_directory_that_is_not_there_is_not_listed_as_empty(bare, monkeypatch, root):
    with Emulator() as emulator:
        emulator.catalog.add("main", "default", "landing")
        monkeypatch.setenv("DATABRICKS_HOST", emulator.url)
        monkeypatch.setenv("DATABRICKS_TOKEN", emulator.token)
        told = bare("ls", root)
    assert (told.code, "does not exist" in told.err, told.out) == (1, True, "")


def test_a_file_that_cannot_be_read_is_told_without_its_number(bare):
    told = bare("init", "--from", "nowhere.yaml").err
    assert told == "Error: init --from nowhere.yaml: no such file or directory\n"
    (bare.root / "latin.yaml").write_bytes(b"profile: \xe9\n")
    assert bare("init", "--from", "latin.yaml").err == "Error: init --from latin.yaml: is not UTF-8\n"


def test_init_writes_no_spec_that_is_none(bare):
    bare.write("config.yaml", "profile: X\nlocal_root: ./d\npatterns:\n  or: ['(a', 'b']\n")
    told = bare("init", "--from", "config.yaml")
    assert told.code == 1
    assert "config.yaml:1:1: /patterns/or/0: not a regular expression: missing )" in told.err
    assert sorted(path.name for path in bare.root.iterdir()) == ["config.yaml"]


def test_a_source_that_was_mistyped_leaves_nothing_behind(bare, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(bare.root / "state"))
    told = bare("sync", "./nope", "./out", "--auto-approve")
    assert (told.code, "does not exist" in told.err, "Other verbs" in told.err) == (1, True, False)
    assert not (bare.root / "state").exists()
    bare.write("yes/a", "1")
    bare.ok("sync", "./yes", "./out", "--auto-approve")
    (bare.root / "yes").rename(bare.root / "gone")
    assert "a source that is missing deletes nothing" in bare("sync", "./yes", "./out", "--auto-approve").err


def test_sync_says_settings_as_it_takes_them(bare, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(bare.root / "state"))
    bare.write("d/t.csv", "a,b\n1,2\n3,4,5\n")
    told = bare("sync", "./d", "sqlite:///t.db", "--auto-approve")
    assert (told.code, "--set table.on_bad_rows=quarantine" in told.err) == (7, True)
    again = bare.ok("sync", "./d", "sqlite:///t.db", "--auto-approve", "--set", "table.on_bad_rows=quarantine")
    assert "--set" not in again.err


def test_the_dashboard_is_refused_with_and_without_a_place(place):
    assert "the dashboard is not built yet" in place("watch", "--dashboard").err


def test_rows_that_were_put_aside_are_told_for_as_long_as_they_lie_there(bare):
    bare.write("d/t.csv", "a,b\n1,2\n3,4,5\n")
    table = "table: {on_bad_rows: quarantine}"
    bare.write(
        "reconcile.yaml",
        f"version: 1\nmappings:\n  tables: {{source: ./d, target: 'sqlite:///t.db', {table}}}\n",
    )
    assert "rows that are put aside go into `t__rejected`" in bare.ok("apply", "--auto-approve").out
    told = bare.ok("plan").out
    assert "1 row of t put aside, in `t__rejected`" in told
    assert told.endswith("No changes. 1 path in sync.\n")
    assert ", 1 row put aside → reconcile plan · lock free" in bare.ok("status").out
    with closing(sqlite3.connect(bare.root / "t.db")) as client:
        client.execute("DROP TABLE t__rejected")
        client.commit()
    assert bare.ok("plan").out == "No changes. 1 path in sync.\n"
    bare.ok("apply", "--auto-approve")
    assert "put aside" not in bare.ok("status").out


def test_who_chooses_the_source_is_told_what_cannot_be_kept(bare, monkeypatch):
    with Emulator() as emulator:
        emulator.catalog.add("main", "default", "landing")
        monkeypatch.setenv("DATABRICKS_HOST", emulator.url)
        monkeypatch.setenv("DATABRICKS_TOKEN", emulator.token)
        spec = "version: 1\nmappings:\n  docs: {source: ./docs, target: /Volumes/main/default/landing/x}\n"
        bare.write("reconcile.yaml", spec)
        bare.write("docs/a", "one")
        bare.ok("apply", "--auto-approve")
        bare.write("docs/a", "another")
        with closing(open_store("volume:/Volumes/main/default/landing/x", options={})) as store:
            data = b"by hand, and longer"
            store.write("a", Body(size_bytes=len(data), open=lambda: BytesIO(data), data=data), expect=ANY)
        told = bare("plan")
        assert told.code == 3
        assert "conflicts resolve --source overwrites it for good (keep: always keeps it)" in told.out
        resolved = bare.ok("conflicts", "resolve", "--source", "a").out
    before, _, after = resolved.partition("Applied")
    assert "what is there goes for good" in before
    assert "1 updated" in after


def test_why_tells_the_history_of_one_target(place):
    spec = "version: 1\nvariables: {at: ./there}\nmappings:\n  docs: {source: ./docs, target: '${var.at}'}\n"
    place.write("reconcile.yaml", spec)
    place.applied()
    place.ok("apply", "--auto-approve", "--var", "at=./other")
    first, second = (place.ok("why", "a.txt", "--var", f"at=./{at}").out for at in ("there", "other"))
    assert ("run 1  " in first, "run 2  " in first) == (True, False)
    assert ("run 1  " in second, "run 2  " in second) == (False, True)


def test_a_rollback_that_changes_no_target_asks_nobody(place):
    """There is no terminal here: to ask is to refuse."""
    for name in ("a.txt", "b.txt", "sub/c.txt"):
        place.write(f"there/{name}", place.read(f"docs/{name}"))
    place.applied()
    told = place.ok("rollback", "1", "--no-hold")
    assert "Plan: 0 to restore, 0 to remove, 3 as before already." in told.out
    place.write("docs/new.txt", "new")
    place.applied()
    assert place("rollback", "3").code == 1, "this one asks"
