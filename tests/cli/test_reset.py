"""`reset`: forgets; never the data, never kept bytes."""

from __future__ import annotations

from reconcile.core.outcome import Run
from reconcile.flow.clock import RealClock
from reconcile.ports import Intent
from reconcile.state.lease import acquire
from reconcile.state.store import open_state
from reconcile.stores.draft import temp_name


def test_everything_is_forgotten_and_nothing_is_lost(place):
    place.applied()
    place.write("docs/a.txt", "alpha, edited")
    place.write("there/b.txt", "drift")
    place.applied()
    kept = {file.read_text(encoding="utf-8") for file in (place.root / "there/.reconcile/undo").rglob("*.txt")}
    assert "drift" in kept
    told = place("reset", "--auto-approve")
    assert told.code == 0
    assert "Forgot 3 paths" in told.out
    assert place.there() == {"a.txt", "b.txt", "sub/c.txt"}
    assert kept == {file.read_text(encoding="utf-8") for file in (place.root / "there/.reconcile/undo").rglob("*.txt")}
    assert place("state", "list", "--json").json["scopes"] == []
    assert [run["id"] for run in place("history", "--json").json["runs"]] == [2, 1]
    assert list((place.root / "state").glob("reconcile.db.g*"))


def test_our_notes_in_the_target_go(place):
    place.applied()
    assert (place.root / "there/.reconcile/dirs").is_file()
    told = place("reset", "--auto-approve", "--json").json
    assert (told["forgotten"], told["control_files"]) == (3, 1)
    assert not (place.root / "there/.reconcile").exists()
    assert place.there() == {"a.txt", "b.txt", "sub/c.txt"}


def test_what_is_equal_is_adopted_again(place):
    place.applied()
    assert place("reset", "--auto-approve", "--json").json["forgotten"] == 3
    assert place("adopt").code == 0
    assert place("plan").out == "No changes. 3 paths in sync.\n"


def test_nobody_to_ask(place):
    place.applied()
    told = place("reset")
    assert told.code == 1
    assert "--auto-approve" in told.err
    assert place("plan").out == "No changes. 3 paths in sync.\n"


def test_not_while_somebody_holds_the_lock(place):
    place.applied()
    assert place("lock", "hold", "--reason", "audit").code == 0
    assert place("reset", "--auto-approve").code == 6
    assert len(place("state", "show").out.splitlines()) == 3


def test_what_a_dead_run_left_half_written_goes_too(place):
    """A state that knows of a write that never ended, and the temporary file it left."""
    place.applied()
    state = open_state(str(place.root / "state/reconcile.db"), write=True)
    lease = acquire(state, "apply", clock=RealClock())
    ((scope, _, _),) = state.scopes()
    run = state.begin(Run(0, "apply", 1.0), lease)
    state.journal.intend([Intent(run, 1, scope.id, "a.txt", "update", "x", b"d" * 32, 3, "0123456789abcdef")])
    lease.release()
    state.close()
    left = place.write(f"there/{temp_name('0123456789abcdef')}", "hal")
    assert place("reset", "--auto-approve").code == 0
    assert not left.exists()
    assert place.there() == {"a.txt", "b.txt", "sub/c.txt"}
