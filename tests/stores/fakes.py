"""A clock that tests own, and a store that fails as it is told to."""

from collections import deque
from itertools import count

from reconcile.core.errors import BusyError
from reconcile.stores.wrapper import Wrapper


class OwnClock:
    """Time passes only by sleeping."""

    def __init__(self):
        self.time = 1000.0
        self.slept = []

    def now(self):
        return self.time

    def monotonic(self):
        return self.time

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.time += seconds


class Fault:
    """One failure of one verb: `before` the store does anything, or after it did (`lost`: only the reply is lost)."""

    def __init__(self, verb, error=None, *, lost=False, then=None):
        self.verb = verb
        self.error = error or BusyError("try again")
        self.lost = lost
        self.then = then


class Failing(Wrapper):
    """Fails in the order of `faults`, each once; `fired` counts. `then` is done at the moment of the failure."""

    def __init__(self, inner, *faults):
        super().__init__(inner)
        self.faults = deque(faults)
        self.fired = 0
        self.calls = []

    def _call(self, verb, key, run):
        self.calls.append(verb)
        if not self.faults or self.faults[0].verb != verb:
            return run()
        fault = self.faults.popleft()
        self.fired += 1
        if fault.lost:
            run()
        if fault.then:
            fault.then()
        raise fault.error


class Breaking(Wrapper):
    """Streams that break after so many bits, each time anew, until `breaks` is used up."""

    def __init__(self, inner, verb, after, breaks):
        super().__init__(inner)
        self.verb, self.after, self.breaks = verb, after, breaks
        self.fired = 0

    def _stream(self, verb, key, run):
        bits, end = run(), object()
        for given in count():
            if verb == self.verb and given == self.after and self.breaks:
                self.breaks -= 1
                self.fired += 1
                raise BusyError("cut off")
            bit = next(bits, end)
            if bit is end:
                return
            yield bit
