"""Machines that lose their power: a run is recorded once, then ends anywhere, in any state it may leave the disk."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
import random
from typing import Any

from reconcile.core.errors import CorruptStateError, LineageError
from reconcile.state.generations import generations
from reconcile.state.store import SqliteState, open_state
from reconcile.state.verify import verify_file
from reconcile.stores.local import LocalStore
from tests.crash.children import in_child
from tests.crash.power import Loss, Restored, put_on_disk, synced_at
from tests.crash.writelog import Contents, Log, contents, recording
from tests.flow.watchers import holdings
from tests.flow.world import World

SOURCE = "src"
"""What a run only reads: it stays as it is."""

REFUSED: Contents = {"refused": []}


@dataclass
class Recorded:
    """A run that was recorded, and what stood there before it; `shown` is that of its machine."""

    log: Log
    state: Contents | None
    target: dict[str, bytes]
    shown: dict[Any, Any]
    places: list[int] = field(init=False)

    def __post_init__(self) -> None:
        self.places = synced_at(self.log)

    def commits(self, at: int) -> list[Contents | None]:
        """The last commit that had returned before operation `at`, and the one that may have been under way."""
        marks = self.log.marks()
        before = [told for place, told in marks if place < at]
        under_way = [told for place, told in marks if place >= at]
        return [before[-1] if before else self.state, *under_way[:1]]


class Machine:
    """A world whose power can fail. `shown` are the versions its target's files had when they were recorded."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.state = world.root / "state" / "reconcile.db"
        self.shown: dict[Any, Any] = {}

    def record(self, work: Callable[[], object]) -> Recorded:
        """Does the work in a child, which dies; what it did to the disk."""

        def recorded() -> Log:
            with recording(self.world.root, SOURCE) as recorder:
                work()
                recorder.mark(read_state(self.state))
            return recorder.log

        state, target = read_state(self.state), self.there()
        return Recorded(in_child(recorded), state, target, dict(self.shown))

    def lose_power(self, recorded: Recorded, chance: random.Random) -> int:
        """Turns the disk into what a loss of power at some moment of the run leaves of it; returns the moment."""
        at = int(chance.random() * (len(recorded.log.operations) + 1))
        loss = Loss(recorded.log, recorded.places, at, chance)
        then = put_on_disk(loss.image, self.world.root, SOURCE)
        self.shown = {now: recorded.shown.get(version, version) for now, version in then.items()}
        self.world.around = lambda store: Restored(store, self.shown)
        return at

    def there(self) -> dict[str, bytes]:
        """All contents of the target, also what is kept aside."""
        return holdings(LocalStore(str(self.world.out)))

    def check(self, recorded: Recorded, at: int) -> None:
        """The disk as it stands: the state is the last commit or the next, nothing is lost or half, no record lies."""
        with _opened(self.state) as state:
            found = _rows(state)
            allowed = recorded.commits(at)
            assert found in allowed or (allowed[0] is None and is_empty(found)), "the state is neither old nor new"
            for _, generation in generations(self.state):
                verify_file(generation)
            self._check_contents(recorded, state)

    def check_contents(self, recorded: Recorded) -> None:
        """Nothing is lost, nothing half, no record lies."""
        with _opened(self.state) as state:
            self._check_contents(recorded, state)

    def _check_contents(self, recorded: Recorded, state: Opened) -> None:
        now, before = self.there(), recorded.target
        here = {text.encode() for text in self.world.here().values()}
        assert set(before.values()) - set(now.values()) - here == set(), "a last copy is lost"
        assert {key for key, data in now.items() if data not in {*before.values(), *here}} == set(), "neither nor"
        if isinstance(state, SqliteState):
            _check_records(state, recorded, now)
        else:
            assert state in (None, REFUSED), "nothing is offered instead of it"


def _check_records(state: SqliteState, recorded: Recorded, now: dict[str, bytes]) -> None:
    """What a record names is there, unless the journal says that its key is worked on, or nobody began to."""
    open_keys = {key for intent in state.journal.open_intents() for key in (intent.key, intent.from_key)}
    before = _digests(recorded.state)
    for scope, _, _ in state.scopes():
        for record in state.records(scope.id):
            key = record.key
            holds = key in now and sha256(now[key]).digest() == record.digest
            untouched = before.get(key) == record.digest and recorded.target.get(key) == now.get(key)
            assert holds or untouched or key in open_keys, f"{key} is recorded and not there"


Opened = SqliteState | Contents | None


@contextmanager
def _opened(path: Path) -> Iterator[Opened]:
    """A state as a reader of today opens it; None where there is no state, `REFUSED` if it is damaged."""
    if not path.exists():
        yield None
        return
    try:
        state = _readable(path)
    except (CorruptStateError, LineageError) as refusal:
        offers = refusal.hint.startswith(f"reconcile state push {path}.g")
        yield REFUSED if offers else {refusal.hint: []}
        return
    with closing(state):
        yield state


def _readable(path: Path) -> SqliteState:
    """Damage may be noticed when it is opened, or when it is read."""
    state = open_state(str(path))
    try:
        _rows(state)
    except BaseException:
        state.close()
        raise
    return state


def _rows(state: Opened) -> Contents | None:
    if not isinstance(state, SqliteState):
        return state
    with state.database.reading() as connection:
        return contents(connection)


def read_state(path: Path) -> Contents | None:
    """Every row of a state; None where there is no state, `REFUSED` if it is damaged."""
    with _opened(path) as state:
        return _rows(state)


def is_empty(state: Contents | None) -> bool:
    """Whether nothing was ever recorded in it."""
    return state is None or not any(state[table] for table in ("scopes", "records", "runs", "intents"))


def _digests(state: Contents | None) -> dict[Any, Any]:
    return {row[1]: row[4] for row in state["records"]} if state and state != REFUSED else {}
