"""status, why, ls: what is looked at, and that looking changes nothing."""

import os
import shutil
import signal
import time

import pytest

from reconcile.ports import HOOKS
from tests.crash.signalled import run_forked


@pytest.fixture
def applied(place):
    place.applied()
    return place


def _everything(root):
    return {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in root.rglob("*") if path.is_file()}


def test_a_mapping_is_never_applied_then_in_sync_then_waits_for_a_decision(place):
    assert place.ok("status").out == "docs never applied · lock free\n"
    place.ok("apply", "--auto-approve")
    assert place.ok("status").out.startswith("docs in sync, 0.")
    place.write("docs/a.txt", "here")
    place.write("there/a.txt", "there, longer")
    assert place("apply", "--auto-approve").code == 3
    assert place.ok("status").out.startswith("docs 1 conflict · ")
    assert place.ok("status", "--json").json["mappings"][0]["conflicts"] == 1


def test_a_run_that_found_nothing_to_do_was_a_success_too(applied):
    before = applied.ok("status", "--json").json["mappings"][0]["last_success"]
    time.sleep(0.01)
    applied.ok("apply", "--auto-approve")
    assert applied.ok("status", "--json").json["mappings"][0]["last_success"] > before


def test_what_is_only_looked_at_in_part_says_nothing_of_the_whole(place):
    place.ok("apply", "--auto-approve", "--path", "a.txt")
    place.ok("apply", "--auto-approve", "--path", "a.txt")
    assert place.ok("status", "--json").json["mappings"][0]["conflicts"] == 0


def test_a_mapping_whose_source_is_gone_fails_since_the_first_time(applied):
    os.rename(applied.root / "docs", applied.root / "elsewhere")
    for _ in range(2):
        tried = applied("apply", "--auto-approve")
        assert tried.code == 1
        assert f"docs: open {applied.root}/docs: does not exist\n  make it, or mend the source of `docs`" in tried.err
    told = applied.ok("status")
    assert told.out.startswith("docs FAILING for 0.")
    since = applied.ok("status", "--json").json["mappings"][0]["failing_since"]
    assert since < time.time()
    os.rename(applied.root / "elsewhere", applied.root / "docs")
    applied.ok("apply", "--auto-approve")
    assert applied.ok("status").out.startswith("docs in sync")


@pytest.mark.hazard("T11")
@pytest.mark.parametrize("verb", ["apply", "rollback"])
def test_a_run_that_died_is_told_and_its_lock_called_that_of_a_dead(applied, verb):
    """Until the next run has gone on from there nothing is in sync, whatever was noted before."""
    applied.write("docs/a.txt", "changed")

    def dies(step, _told, _done):
        if step.startswith("disk.rename"):
            os.kill(os.getpid(), signal.SIGKILL)

    died = run_forked(applied.root, [verb, "--auto-approve"], prepare=lambda: HOOKS.append(dies))
    assert died.code == -signal.SIGKILL
    first, second, *rest = applied.ok("status").out.splitlines()
    held = "lock held" if verb == "rollback" else "lock of a dead run"
    assert first == f"docs left unfinished by run 2, {verb} · {held}"
    assert second.endswith("open, 0 of 3 done." if verb == "rollback" else "open, 0 of 1 done.")
    assert ("Its process is dead: the next run takes the lock over" in "".join(rest)) == (verb == "apply")
    assert applied.ok("lock", "show", "--json").json["lock"]["dead"]
    applied.ok(verb, "--auto-approve")
    assert "unfinished" not in applied.ok("status").out


def test_what_could_not_be_read_is_looked_for_in_a_plan_for_history_does_not_know_it(place):
    os.link(place.root / "docs" / "a.txt", place.root / "docs" / "x\udcff")
    assert place("apply", "--auto-approve").code == 7
    assert "→ reconcile plan --mapping docs ·" in place.ok("status").out
    assert "? x" in place("plan", "--mapping", "docs").out
    assert place.ok("history", "1").out.endswith("What it is today: reconcile plan\n")


def test_a_success_that_is_too_old_is_an_exit_code(place):
    assert place("status", "--max-age", "1h").code == 1
    place.ok("apply", "--auto-approve")
    assert place("status", "--max-age", "1h").code == 0
    assert place("status", "--max-age", "0s").code == 1
    assert "is no duration" in place("status", "--max-age", "soon").err


@pytest.mark.parametrize("verb", ["rollback", "destroy"])
def test_what_was_taken_back_is_not_in_sync(applied, own_home, verb):
    applied.write("docs/a.txt", "alpha, edited")
    applied.applied()
    run = applied.ok(verb, "--auto-approve", "--json").report["run"]
    told = applied.ok("status")
    assert told.out.startswith(f"docs {'rolled back' if verb == 'rollback' else 'destroyed'} by run {run}, 0.")
    [mapping] = applied.ok("status", "--json").json["mappings"]
    assert mapping["taken_back"]["id"] == run
    shutil.rmtree(own_home / ".cache")
    assert f" by run {run}, " in applied.ok("status").out
    if verb == "rollback":
        applied.ok("unlock", applied.ok("status", "--json").json["lock"]["id"])
    applied.applied()
    assert applied.ok("status").out.startswith("docs in sync, 0.")


def test_what_was_destroyed_in_part_is_told_so(applied):
    applied.ok("destroy", "--auto-approve", "--path", "a.txt")
    assert applied.ok("status").out.startswith("docs destroyed in part by run 2, ")


def test_a_source_that_follows_a_rollback_is_in_sync_with_it(applied):
    """Nothing is to be done then, and no run says so."""
    applied.write("docs/a.txt", "alpha, edited")
    applied.applied()
    applied.ok("rollback", "--auto-approve", "--no-hold")
    applied.write("docs/a.txt", "alpha")
    applied.applied()
    assert applied.ok("status").out.startswith("docs in sync, 0.")


def test_a_rollback_that_found_nothing_to_change_took_nothing_back(applied):
    applied.write("docs/a.txt", "alpha, edited")
    applied.applied()
    applied.write("there/a.txt", "changed since")
    assert applied("rollback", "2", "--auto-approve").code == 7
    assert applied.ok("status").out.startswith("docs in sync, ")


def test_without_the_cache_the_state_tells(applied, own_home):
    shutil.rmtree(own_home / ".cache")
    assert applied.ok("status").out.startswith("docs in sync")


def test_records_without_a_mapping_are_orphans(applied):
    applied.write("reconcile.yaml", "version: 1\nmappings:\n  papers: {source: ./docs, target: ./there}\n")
    assert "Orphaned: 3 paths" in applied.ok("status").out


def test_why_tells_all_of_a_path(applied):
    applied.write("docs/a.txt", "changed here")
    told = applied.ok("why", "a.txt").out
    assert told.splitlines()[0] == "docs: a.txt"
    for words in ("source  12 B", "record  5 B", "target  5 B", "~ update: content changed", "run 1"):
        assert words in told
    (path,) = applied.ok("why", "a.txt", "--json").json["paths"]
    assert (path["change"]["action"], len(path["record"]["digest"])) == ("update", 64)


def test_why_tells_of_renames_from_both_ends(applied):
    os.rename(applied.root / "docs/b.txt", applied.root / "docs/new.txt")
    for end in ("b.txt", "new.txt"):
        (path,) = applied.ok("why", end, "--json").json["paths"]
        assert (path["change"]["action"], path["change"]["from_key"]) == ("move", "b.txt")


def test_why_tells_that_a_file_is_ignored_or_protected(applied):
    applied.write("docs/.reconcileignore", "*.tmp\n")
    applied.write("docs/x.tmp", "no")
    told = applied.ok("why", "x.tmp").out
    assert "left out by the mapping's filters" in told
    assert "nothing to do" in told
    spec = "version: 1\nmappings:\n  docs: {source: ./docs, target: ./there, protect: ['a.*']}\n"
    applied.write("reconcile.yaml", spec)
    applied.write("docs/a.txt", "changed here")
    told = applied.ok("why", "a.txt").out
    assert "protected: never overwritten or deleted" in told
    assert "! " in told


def test_why_knows_what_it_does_not_know(applied):
    said = applied("why", "nowhere.txt")
    assert (said.code, said.err.splitlines()[0]) == (1, "Error: why nowhere.txt: no mapping knows this path")


def test_why_tells_of_what_is_gone(applied):
    (applied.root / "docs/a.txt").unlink()
    applied.ok("apply", "--auto-approve")
    told = applied.ok("why", "a.txt").out
    for words in ("source  nothing", "record  none any more", "target  nothing", "nothing to do", "delete done"):
        assert words in told


def test_why_tells_of_a_table_that_is_gone(bare):
    bare.write("data/a.csv", "n\n1\n")
    bare.write("data/b.csv", "n\n1\n")
    bare.write("reconcile.yaml", "version: 1\nmappings:\n  t: {source: ./data, target: 'sqlite:///w.db'}\n")
    bare.ok("apply", "--auto-approve")
    (bare.root / "data/a.csv").unlink()
    bare.ok("apply", "--auto-approve")
    told = bare.ok("why", "a").out
    assert "delete done" in told
    assert "left out" not in told


def test_ls_lists_a_mapping_a_directory_and_a_url(applied):
    by_name = applied.ok("ls", "docs").out
    assert by_name.splitlines()[-1] == "3 files, 25 B"
    assert applied.ok("ls", "./there").out == by_name
    assert applied.ok("ls", (applied.root / "there").as_uri()).out == by_name
    told = applied.ok("ls", "docs", "--json").json
    assert [(one["key"], one["size"]) for one in told["entries"]] == [("a.txt", 5), ("b.txt", 4), ("sub/c.txt", 16)]
    assert (told["files"], told["bytes"]) == (3, 25)


def test_ls_counts_the_tables_of_a_database(bare):
    bare.write("data/a.csv", "n\n1\n")
    bare.ok("sync", "data", "sqlite:///w.db", "--auto-approve")
    assert bare.ok("ls", "sqlite:///w.db").last.startswith("1 table, ")


def test_ls_without_a_spec(bare):
    bare.write("some where/x", "1")
    assert bare.ok("ls", "some where").out.splitlines()[-1] == "1 file, 1 B"


@pytest.mark.parametrize("target", ["./nowhere", "nonsense://x", "s3://"])
def test_ls_says_what_it_cannot_open(applied, target):
    assert applied("ls", target).code == 1


@pytest.mark.hazard("L08")
def test_looking_changes_nothing(applied):
    before = _everything(applied.root)
    for words in (
        ("status",), ("why", "a.txt"), ("history",), ("history", "1"), ("ls", "docs"), ("verify",), ("validate",),
        ("lock", "show"), ("state", "list"), ("state", "show"), ("graph",), ("plan",), ("apply", "--dry-run"),
    ):  # fmt: skip
        applied.ok(*words)
    assert _everything(applied.root) == before


def test_a_permission_for_a_mapping_that_is_not_there_is_refused(place):
    told = place("plan", "--allow", "deletes:dosc")
    assert told.code == 1
    assert "did you mean `docs`?" in told.err
    assert "the spec has: docs" in place("apply", "--auto-approve", "--allow", "deletes:zzz").err
    place.ok("plan", "--allow", "deletes:docs")
