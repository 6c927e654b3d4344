"""Defaults under a mapping: the mapping's word stands, tables merge, lists add up."""

from __future__ import annotations

from reconcile.spec.document import Steps


def merge(under: object, over: object, at: Steps, origins: dict[Steps, Steps], default_at: Steps) -> object:
    """`over` laid on `under`, where null counts as not written.

    `at` is where the result stands. `origins` learns, for every leaf whose place differs from there, where it was
    written: below `default_at`, or at another index of the mapping's own list.
    """
    if over is None:
        return _moved(under, default_at, at, origins)
    if isinstance(under, dict) and isinstance(over, dict):
        return {
            key: merge(under.get(key), over.get(key), (*at, key), origins, (*default_at, key))
            for key in [*under, *(key for key in over if key not in under)]
        }
    if isinstance(under, list) and isinstance(over, list):
        for index in range(len(over)):
            origins[*at, len(under) + index] = (*at, index)
        return [*(_moved(item, (*default_at, i), (*at, i), origins) for i, item in enumerate(under)), *over]
    return over


def _moved(value: object, written: Steps, at: Steps, origins: dict[Steps, Steps]) -> object:
    origins[at] = written
    if isinstance(value, dict):
        return {key: _moved(item, (*written, key), (*at, key), origins) for key, item in value.items()}
    if isinstance(value, list):
        return [_moved(item, (*written, index), (*at, index), origins) for index, item in enumerate(value)]
    return value


def pruned(value: object, bad: set[Steps], at: Steps = ()) -> object:
    """The value without what stands at the bad places, so that the rest can still be looked at."""
    if isinstance(value, dict):
        return {key: pruned(item, bad, (*at, key)) for key, item in value.items() if (*at, key) not in bad}
    if isinstance(value, list):
        return [pruned(item, bad, (*at, index)) for index, item in enumerate(value) if (*at, index) not in bad]
    return value
