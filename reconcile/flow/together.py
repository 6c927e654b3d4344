"""Many small new things as one call of a store that has such a call: what it does not take is done one by one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
import time
from typing import Final

from msgspec.structs import replace

from reconcile.abilities import WritesMany
from reconcile.core.change import Action
from reconcile.core.entry import ABSENT
from reconcile.core.errors import StoreError
from reconcile.flow.step import Done, Prepared, Step
from reconcile.ports import Body, Store

TOGETHER_BYTES: Final = 1 << 16
"""A larger file is worth a call of its own."""


def gathered(target: Store, batch: Sequence[Prepared]) -> Iterator[list[Prepared]]:
    """A batch in parts, each of which goes to the store as one."""
    most = target.traits.together
    small = [prepared for prepared in batch if most and _is_small(prepared)]
    alone = {prepared.change.id for prepared in small}
    yield from (small[start : start + most] for start in range(0, len(small), most or 1))
    yield from ([prepared] for prepared in batch if prepared.change.id not in alone)


def publish_all(step: Step, part: Sequence[Prepared]) -> list[Done]:
    """As `Step.publish` for each: every error becomes an outcome."""
    target = step.wired.target
    if len(part) == 1 or not isinstance(target, WritesMany):
        return [step.publish(prepared) for prepared in part]
    began = time.perf_counter()
    try:
        entries = target.write_many([(prepared.change.key, _body(prepared)) for prepared in part])
    except StoreError as error:
        return [step.failed(prepared.change, error) for prepared in part]
    seconds = (time.perf_counter() - began) / len(part)
    ended = []
    for prepared, entry in zip(part, entries, strict=True):
        done = step.publish(prepared, entry)
        if entry is not None:
            done.outcome = replace(done.outcome, seconds=done.outcome.seconds + seconds)
        ended.append(done)
    return ended


def _is_small(prepared: Prepared) -> bool:
    change, body = prepared.change, prepared.body
    is_new = change.action is Action.CREATE and change.expect == ABSENT
    return is_new and body is not None and body.data is not None and body.size_bytes <= TOGETHER_BYTES


def _body(prepared: Prepared) -> Body:
    assert prepared.body is not None, "it is small"
    return prepared.body
