"""R4: any error while reading gives "unknown"; unknown never leads to a change on it or below it; exit is never 0."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import pytest

from reconcile.core.errors import BusyError, DamagedError, DeniedError, ReconcileError, StoreError
from reconcile.stores.wrapper import Wrapper
from tests.fakes.s3 import FakeS3
from tests.fakes.s3_faults import Act, Answer, answer, html, lose_before, refuse, rewrite
from tests.flow.watchers import MUTATING
from tests.flow.world import World
from tests.promises.worlds import changes, impatient, local, remote, s3

__all__ = ["impatient", "local", "remote", "s3"]

pytestmark = pytest.mark.usefixtures("impatient")

T = TypeVar("T")
FOREVER = 1_000
UNREADABLE: dict[str, Act] = {
    "forbidden": refuse(403, "AccessDenied"),
    "unauthorized": refuse(401, "Unauthorized"),
    "not found, of all things": refuse(404, "NoSuchKey"),
    "wrong clock": refuse(403, "RequestTimeTooSkewed"),
    "expired": refuse(400, "ExpiredToken"),
    "busy": refuse(503, "SlowDown"),
    "broken": refuse(500, "InternalError"),
    "cut off": lose_before(),
    "a proxy": html(),
    "empty": answer(Answer()),
    "somewhere else": refuse(301, "PermanentRedirect"),
    "without an end": rewrite("<IsTruncated>.*?</IsTruncated>", ""),
}


def filled(world: World) -> None:
    """Twelve files in sync; then some are edited, some removed, some new."""
    world.put(**{f"f{number:02}": f"text {number}" for number in range(12)})
    world.settled()
    world.put(f01="edited", f09="edited", new="new")
    for name in ("f02", "f10"):
        world.remove(name)


def exit_code(world: World) -> int:
    try:
        return world.apply().exit_code
    except ReconcileError as error:
        return error.exit_code


@pytest.mark.hazard("R01", "R15", "R17", "R32")
@pytest.mark.parametrize("how", UNREADABLE)
def test_a_target_that_cannot_be_listed_is_left_alone(s3: FakeS3, remote: World, how: str) -> None:
    filled(remote)
    before = dict(s3.objects)
    s3.log.clear()
    fault = s3.fault("list", UNREADABLE[how], times=FOREVER)
    assert exit_code(remote) not in (0, 2)
    assert fault.fired
    assert changes(s3) == []
    assert s3.objects == before
    s3.heal()
    remote.settled()


@pytest.mark.hazard("R01")
@pytest.mark.parametrize("how", UNREADABLE)
def test_behind_a_page_that_cannot_be_read_nothing_is_touched(s3: FakeS3, remote: World, how: str) -> None:
    """No order was shown yet, so whatever was not listed may stand anywhere: nothing at all is certain."""
    filled(remote)
    s3.page = 5
    before = dict(s3.objects)
    fault = s3.fault("list", UNREADABLE[how], nth=2, times=FOREVER)
    assert exit_code(remote) not in (0, 2)
    assert fault.fired
    shown = {key: stored for key, stored in s3.objects.items() if "/.reconcile/" not in key}
    assert shown == {key: stored for key, stored in before.items() if "/.reconcile/" not in key}
    s3.heal()
    remote.settled()


@pytest.mark.hazard("R15")
@pytest.mark.parametrize("how", [how for how in UNREADABLE if "end" not in how and "not found" not in how])
def test_a_crash_whose_traces_cannot_be_read_forgets_nothing(s3: FakeS3, remote: World, how: str) -> None:
    """A recovery that may not look leaves its intents open, and the next one ends it."""
    filled(remote)
    for op in ("put", "copy", "bulk", "delete"):
        s3.fault(op, refuse(500, "InternalError"), times=FOREVER)
    assert exit_code(remote) == 7
    s3.heal()
    fault = s3.fault("head", UNREADABLE[how], nth=2, times=FOREVER)
    exit_code(remote)
    assert fault.fired
    s3.heal()
    remote.settled()
    assert remote.there() == remote.here()


class Unreadable(Wrapper):
    """Lists up to a key, and cannot be looked at."""

    def __init__(self, inner: Any, error: StoreError, seen: list[str]) -> None:
        super().__init__(inner)
        self._error, self._seen = error, seen

    def _call(self, verb: str, key: str, run: Callable[[], T]) -> T:
        if verb in MUTATING:
            self._seen.append(f"{verb} {key}")
        return run()

    def list(self, under: str = "", **bounds: Any) -> Iterator[Any]:
        yield from (item for item in self.inner.list(under, **bounds) if item.key < "f05")
        raise self._error


@pytest.mark.hazard("R01")
@pytest.mark.parametrize("kind", [BusyError, DamagedError, DeniedError])
def test_a_directory_that_cannot_be_read_to_its_end(local: World, kind: type[StoreError]) -> None:
    filled(local)
    before = local.there()
    seen: list[str] = []
    local.around = lambda store: Unreadable(store, kind("cannot be read", op="list"), seen)
    assert exit_code(local) not in (0, 2)
    assert not [told for told in seen if "f09" in told or "f10" in told or "new" in told]
    local.around = None
    kept = local.there()
    assert {key: kept[key] for key in before if key > "f05"} == {key: before[key] for key in before if key > "f05"}
    local.settled()
