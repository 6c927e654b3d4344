"""R7: a replacement that fails keeps the old object; no handler of an error or a mismatch deletes the last copy."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from reconcile.core.errors import BusyError, DamagedError, DeniedError, RefusedError, StoreError
from tests.fakes.s3 import FakeS3
from tests.fakes.s3_faults import Act, Answer, answer, html, keep, lose_before, refuse
from tests.flow.test_faults import Faulty
from tests.flow.world import World
from tests.promises.worlds import impatient, local, remote, s3

__all__ = ["impatient", "local", "remote", "s3"]

pytestmark = pytest.mark.usefixtures("impatient")

FOREVER = 1_000
OLD, NEW = {"small": "old", "large": "old " * 50}, {"small": "new", "large": "new " * 50}
FAILS: dict[str, Act] = {
    "no room": refuse(507, "InsufficientStorage"),
    "too large": refuse(413, "EntityTooLarge"),
    "forbidden": refuse(403, "AccessDenied"),
    "locked": refuse(403, "InvalidObjectState"),
    "key denied": refuse(400, "KMS.DisabledException"),
    "busy": refuse(503, "SlowDown"),
    "wrong sum": refuse(400, "BadDigest"),
    "cut off": lose_before(),
    "a proxy": html(),
    "nothing": answer(Answer()),
}


def replaced(world: World) -> None:
    world.put(**OLD)
    world.settled()
    world.put(**NEW)


@pytest.mark.hazard("R10", "R28", "R31", "R35")
@pytest.mark.parametrize("how", FAILS)
@pytest.mark.parametrize("op", ["put", "begin", "part", "complete"])
def test_what_cannot_be_sent_leaves_what_was_there(s3: FakeS3, remote: World, op: str, how: str) -> None:
    replaced(remote)
    fault = s3.fault(op, FAILS[how], times=FOREVER)
    result = remote.apply()
    assert fault.fired
    [failed] = [outcome for outcome in result.outcomes if outcome.outcome == "failed"]
    assert failed.key == ("small" if op == "put" else "large")
    assert failed.error.startswith(f"write {failed.key}: ")
    assert remote.there() == {**NEW, failed.key: OLD[failed.key]}
    assert result.exit_code == 7
    s3.heal()
    remote.settled()
    assert s3.uploads == {}


@pytest.mark.hazard("R11", "R12", "R13")
@pytest.mark.parametrize("change", [lambda _: b"", lambda data: data[:-1], lambda data: b"X" + data[1:]])
def test_bytes_kept_wrong_never_cost_the_old_ones(s3: FakeS3, remote: World, change: Callable[[bytes], bytes]) -> None:
    """The service replaced the object and holds other bytes now: what was there lies in the undo directory."""
    replaced(remote)
    fault = s3.fault("put", keep(change), times=FOREVER)
    result = remote.apply()
    assert fault.fired
    assert {outcome.outcome for outcome in result.outcomes if outcome.key == "small"} == {"failed"}
    assert b"old" in [stored.data for key, stored in s3.objects.items() if "/.reconcile/undo/" in key]
    assert not s3.ops("delete", "bulk")[4:], "nobody cleans up behind a service that lies"


@pytest.mark.parametrize("kind", [BusyError, DamagedError, DeniedError, RefusedError])
@pytest.mark.parametrize("at", range(4))
def test_a_directory_keeps_the_old_file(local: World, kind: type[StoreError], at: int) -> None:
    replaced(local)
    faults: list[Faulty] = []

    def around(store: object) -> Faulty:
        faults.append(Faulty(store, at, kind("no", op="write"), late=False))  # type: ignore[arg-type]
        return faults[-1]

    local.around = around
    result = local.apply()
    assert faults[-1].fired
    assert result.exit_code == 7
    there = local.there()
    assert all(there[key] in (OLD[key], NEW[key]) for key in OLD)
    [failed] = [outcome.key for outcome in result.outcomes if outcome.outcome == "failed"]
    assert there[failed] == OLD[failed]
    local.around = None
    local.settled()
