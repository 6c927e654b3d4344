"""What must become of a world: a few lines of dicts that know nothing of the program.

For every key the three contents say what must be there afterwards and whether a person has to choose. On a tree store,
a newcomer waits when what stays stands in its place as the other kind of thing.
"""

from __future__ import annotations

from typing import NamedTuple

from reconcile.core.path import is_under
from reconcile.core.policy import Policy
from tests.planner.worlds import Tree, World

Content = bytes | None


class Expected(NamedTuple):
    """`final` is the target afterwards, `waiting` the keys that need a decision.

    `shaky` keys may also stay as they are: something could not be read, so the run may have stopped before them.
    What is in the way but cannot be listed (`unseen`) is met only by trying.
    """

    final: Tree
    waiting: frozenset[str]
    shaky: frozenset[str]


def expected(world: World, policy: Policy, *, tree: bool) -> Expected:
    keys = {*world.source, *world.base, *world.target}
    final: Tree = {}
    waiting, unread = set(), set()
    for key in keys:
        there = world.target.get(key)
        if world.hides(key) or key in world.unknown_target:
            after, waits = there, False
        else:
            base = None if world.lost_state else world.base.get(key)
            after, waits = cell(world.source.get(key), base, there, policy)
        if waits:
            waiting.add(key)
        if after is not None:
            final[key] = after
        if key in world.denied:
            unread.add(key)
    comers = [key for key in keys if tree and key not in world.target and final.get(key) is not None]
    unseen = {key for key in comers if any(_meet(key, one) for one in world.unknown_target)}
    stays = [key for key, data in world.target.items() if final.get(key) == data]
    blocked = {key for key in comers if any(_meet(key, one) for one in stays)}
    for key in blocked - unseen:
        del final[key]
        waiting.add(key)
    return Expected(final, frozenset(waiting), frozenset(keys if unread or unseen else ()))


def cell(source: Content, base: Content, target: Content, policy: Policy) -> tuple[Content, bool]:
    """What must be there, and whether it waits for a decision."""
    if source == target and (source is None or base is None or source == base):
        return source, False
    if source is None and base is None:
        return (None if policy.unmanaged == "delete" else target), False
    if source is None:
        if target == base:
            return (None if policy.delete else target), False
        return _chosen(source, target, policy) if policy.delete else (target, False)
    if target in (source, base) or (target is None and base not in (None, source)):
        return source, False
    if base is None:
        return (source, False) if target is None else _chosen(source, target, policy)
    if source == base:
        return (source if policy.drift == "restore" else target), policy.drift == "fail"
    return _chosen(source, target, policy)


def _chosen(source: Content, target: Content, policy: Policy) -> tuple[Content, bool]:
    """Both sides have their own: the policy knows, or a person."""
    if policy.conflict == "source":
        return source, False
    return target, policy.conflict != "target"


def _meet(one: str, other: str) -> bool:
    return is_under(one, other) or is_under(other, one)
