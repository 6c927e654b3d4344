"""How long a busy store is waited for."""

from threading import Event

import pytest

from reconcile.core.errors import BusyError
from reconcile.flow.clock import RealClock
from reconcile.stores.patience import EARNED, Patience, UnreachableError
from tests.stores.fakes import OwnClock


def busy(times, retry_after_s=None):
    """A call that is busy so many times, and then answers."""
    left = [times]

    def call():
        if left[0]:
            left[0] -= 1
            raise BusyError("slow down", retry_after_s=retry_after_s)
        return "answer"

    return call


def patience(clock, **settings):
    return Patience(clock, between=lambda low, high: high, **settings)


@pytest.mark.hazard("R07")
def test_the_waiting_grows_up_to_its_limit():
    clock = OwnClock()
    assert patience(clock, first_s=1, longest_s=5).call(busy(5)) == "answer"
    assert clock.slept == [1, 2, 4, 5, 5]


def test_it_is_a_random_part_of_that():
    clock = OwnClock()
    Patience(clock, first_s=1, longest_s=4).call(busy(4))
    assert all(0 <= slept <= longest for slept, longest in zip(clock.slept, [1, 2, 4, 4], strict=True))


def test_attempts_are_counted():
    clock, calls = OwnClock(), busy(3)
    with pytest.raises(BusyError):
        patience(clock, attempts=3).call(calls)
    assert len(clock.slept) == 2


@pytest.mark.hazard("R07")
def test_a_named_time_is_kept_by_everybody():
    clock = OwnClock()
    shared = patience(clock, first_s=0.1)
    assert shared.again(1, BusyError("slow down", retry_after_s=7)) is True
    assert clock.slept == [7]
    clock.time -= 4  # another thread comes, four seconds earlier
    shared.call(busy(0))
    assert clock.slept == [7, 4]


@pytest.mark.hazard("S16")
def test_an_endless_named_time_is_cut():
    clock = OwnClock()
    patience(clock, longest_s=30).call(busy(1, retry_after_s=10**9))
    assert clock.slept == [30]


def test_a_storm_uses_up_the_budget_of_all():
    clock = OwnClock()
    shared = patience(clock, attempts=4, budget=5)
    for _ in range(2):
        with pytest.raises(BusyError):
            shared.call(busy(99))
    assert len(clock.slept) == 5  # three retries, two more, and then none
    with pytest.raises(BusyError):
        shared.call(busy(1))
    assert len(clock.slept) == 5


def test_answers_earn_the_budget_back():
    clock = OwnClock()
    shared = patience(clock, budget=1)
    shared.call(busy(1))
    for _ in range(round(1 / EARNED)):
        shared.call(busy(0))
    assert shared.call(busy(1)) == "answer"


class StoppedClock(RealClock):
    def __init__(self):
        stop = Event()
        stop.set()
        super().__init__(stop)


@pytest.mark.hazard("T27")
def test_who_is_to_stop_waits_no_more():
    """Neither before another try, nor before a first one while the store asked for quiet."""
    patience, tries = Patience(StoppedClock()), []

    def busy():
        tries.append(1)
        raise BusyError("slow down", retry_after_s=3600)

    for _ in range(2):
        with pytest.raises(BusyError):
            patience.call(busy)
    assert len(tries) == 1


@pytest.mark.parametrize(("heard", "tries"), [("never", 4), ("nothing asked", 4), ("an answer", 8), ("busy", 8)])
def test_who_never_answered_is_given_up_soon(heard, tries):
    """A wrong address is told in seconds; a service that goes away for a while is waited for."""
    clock = OwnClock()
    waiting = patience(clock)
    if heard in ("an answer", "nothing asked"):
        assert waiting.call(lambda: 1, asks=heard == "an answer") == 1
    calls = []

    def nobody():
        calls.append(1)
        raise BusyError("slow") if heard == "busy" and len(calls) == 1 else UnreachableError("nobody")

    with pytest.raises(UnreachableError):
        waiting.call(nobody)
    assert len(calls) == tries
    assert sum(clock.slept) < (2 if tries == 4 else 60)
