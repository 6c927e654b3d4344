"""`lock` and `unlock`: who holds it, and freezing on purpose."""

from __future__ import annotations


def test_a_free_lock(place):
    assert place("lock", "show").out == "Lock free.\n"
    assert place("lock", "show", "--json").json["lock"] is None
    assert not (place.root / "state").exists()


def test_a_hold_keeps_everybody_out_until_it_is_ended(place):
    place.applied()
    told = place("lock", "hold", "--reason", "audit of the month")
    assert told.code == 0
    held = place("lock", "show", "--json").json["lock"]
    assert (held["hold"], held["reason"]) == (True, "audit of the month")
    refused = place("apply", "--auto-approve")
    assert refused.code == 6
    assert "audit of the month" in refused.err
    assert f"reconcile unlock {held['id']}" in told.out + refused.err
    assert place("plan").code == 0
    assert place("lock", "hold", "--reason", "twice").code == 6
    assert place("unlock", "00000000").code == 1
    assert place("unlock", held["id"]).code == 0
    assert place("apply", "--auto-approve").code == 0


def test_a_hold_says_why(place):
    assert place("lock", "hold").code == 1


def test_nothing_to_unlock(place):
    place.applied()
    told = place("unlock", "12345678", "--json")
    assert told.code == 1
    assert "not locked" in told.err


def test_where_there_is_no_state_none_is_made(place):
    assert place.ok("lock", "show", "--json").json["lock"] is None
    told = place("unlock", "1234")
    assert (told.code, "not locked" in told.err) == (1, True)
    assert not (place.root / "state").exists()
