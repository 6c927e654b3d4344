"""Worlds: a source, what was last agreed, a target, and what cannot be read; and every way people get there.

A world begins settled (source, record and target are one tree) and becomes what it is by operations, as people and
machines do them: all of them up to a length, or long random ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import product
import random
from typing import NamedTuple

from reconcile.core.path import is_under

Tree = dict[str, bytes]


class World(NamedTuple):
    """`base` is what the records say. `fresh`: source files whose digest nobody knows; `denied`: listed, not readable.

    `unknown_source` and `unknown_target` are names that cannot even be looked at; `touched` target files have another
    version than the recorded one, whatever they hold.
    """

    source: Tree
    base: Tree
    target: Tree
    fresh: frozenset[str] = frozenset()
    denied: frozenset[str] = frozenset()
    unknown_source: frozenset[str] = frozenset()
    unknown_target: frozenset[str] = frozenset()
    touched: frozenset[str] = frozenset()
    lost_state: bool = False

    def hides(self, key: str) -> bool:
        """Whether nobody can say what the source holds under a key."""
        return any(key == one or is_under(key, one) for one in self.unknown_source)

    def healed(self) -> World:
        return self._replace(denied=frozenset(), unknown_source=frozenset(), unknown_target=frozenset())

    def marks(self) -> tuple[object, ...]:
        """All there is to know, to tell worlds apart."""
        trees = (tuple(sorted(tree.items())) for tree in (self.source, self.base, self.target))
        return (*trees, *self[3:])


def fits(tree: Iterable[str], key: str) -> bool:
    return not any(is_under(one, key) or is_under(key, one) for one in tree)


def settled(tree: Tree) -> World:
    return World(dict(tree), dict(tree), dict(tree))


def trees(names: Iterable[str], contents: Iterable[bytes]) -> Iterator[Tree]:
    """Every tree of these names; nothing is both a file and a directory."""
    names = list(names)
    for chosen in product((None, *contents), repeat=len(names)):
        tree = {name: data for name, data in zip(names, chosen, strict=True) if data is not None}
        if all(fits(tree, name) for name in tree):
            yield tree


class Operation(NamedTuple):
    """What somebody does to a name, with another name or a content.

    Here: write, delete, touch, rename, swap; `deny` reading, `hide` from looking. There: `meddle` (write), `take`
    (delete), `retouch` (write the same again), `hide_there`. `forget`: the state is lost.
    """

    verb: str
    name: str = ""
    other: str = ""
    data: bytes = b""


def operations(names: Iterable[str], contents: Iterable[bytes]) -> list[Operation]:
    """Everything that can be done with these names and contents."""
    names, contents = list(names), list(contents)
    found = [Operation(verb, name, data=data) for verb in ("write", "meddle") for name in names for data in contents]
    found += [Operation(verb, name) for verb in SINGLE for name in names]
    found += [Operation("rename", one, other) for one in names for other in names if one != other]
    found += [Operation("swap", one, other) for one in names for other in names if one < other]
    folders = {name.rpartition("/")[0] for name in names if "/" in name} - set(names)
    found += [Operation("hide", folder) for folder in sorted(folders)]
    return [*found, Operation("forget")]


SINGLE = ("delete", "touch", "deny", "hide", "take", "retouch", "hide_there")


def _put(world: World, name: str, data: bytes) -> World:
    """A file comes into the source; what stands in its place, or in its way, is gone."""
    source = {key: held for key, held in world.source.items() if not (is_under(key, name) or is_under(name, key))}
    return world._replace(source={**source, name: data}, fresh=world.fresh | {name}, denied=world.denied - {name})


def _drop(world: World, name: str) -> World:
    source = {key: data for key, data in world.source.items() if key != name}
    return world._replace(source=source, fresh=world.fresh - {name}, denied=world.denied - {name})


def done(world: World, operation: Operation) -> World | None:
    """The world afterwards; None when this cannot be done there, or changes nothing."""
    verb, name, other, data = operation
    if verb == "write":
        return _put(world, name, data) if world.source.get(name) != data else None
    if verb in ("meddle", "take", "retouch"):
        return _meddled(world, operation)
    if verb == "hide":
        return world._replace(unknown_source=world.unknown_source | {name})
    if verb == "hide_there":
        return world._replace(unknown_target=world.unknown_target | {name}) if name in world.target else None
    if verb == "forget":
        return world._replace(lost_state=True)
    if name not in world.source:
        return None
    if verb == "delete":
        return _drop(world, name)
    if verb == "touch":
        return world._replace(fresh=world.fresh | {name})
    if verb == "deny":
        return world._replace(denied=world.denied | {name})
    if verb == "rename":
        return _put(_drop(world, name), other, world.source[name])
    return _swapped(world, name, other)


def _swapped(world: World, one: str, other: str) -> World | None:
    if other not in world.source:
        return None
    first, second = world.source[one], world.source[other]
    return _put(_put(world, one, second), other, first) if fits([one], other) else None


def _meddled(world: World, operation: Operation) -> World | None:
    """Somebody else changes the target."""
    verb, name, _, data = operation
    if verb == "meddle":
        if world.target.get(name) == data or not fits(world.target, name):
            return None
        return world._replace(target={**world.target, name: data}, touched=world.touched | {name})
    if name not in world.target:
        return None
    if verb == "retouch":
        return world._replace(touched=world.touched | {name})
    target = {key: held for key, held in world.target.items() if key != name}
    return world._replace(target=target, touched=world.touched - {name})


class Story(NamedTuple):
    """How a world came about: a settled tree, and what was done since."""

    tree: Tree
    deeds: tuple[Operation, ...]
    world: World


def told(tree: Tree, deeds: Iterable[Operation]) -> Story:
    """The story again, from its beginning."""
    world, deeds = settled(tree), tuple(deeds)
    for deed in deeds:
        world = done(world, deed) or world
    return Story(tree, deeds, world)


def reachable(tree: Tree, steps: int, choices: list[Operation]) -> Iterator[Story]:
    """Every world that up to `steps` operations make of a settled tree, each once."""
    first = Story(tree, (), settled(tree))
    seen, level = {first.world.marks()}, [first]
    yield first
    for _ in range(steps):
        after = []
        for story in level:
            for choice in choices:
                world = done(story.world, choice)
                if world is not None and (marks := world.marks()) not in seen:
                    seen.add(marks)
                    after.append(Story(tree, (*story.deeds, choice), world))
                    yield after[-1]
        level = after


def everything(names: Iterable[str], contents: Iterable[bytes], *, paths: int, steps: int) -> Iterator[Story]:
    """Every tree of up to `paths` of these names, after every `steps` operations or fewer."""
    names, contents = list(names), list(contents)
    choices = operations(names, contents)
    for tree in trees(names, contents):
        if len(tree) <= paths:
            yield from reachable(tree, steps, choices)


DEEP = tuple(f"{one}{two}{three}" for one in "abc" for two in ("", "/x", "/y", "/z") for three in ("", "/p", "/q"))
DEEP_NAMES = tuple(name for name in DEEP if name.count("/") < 3)
DEEP_CONTENTS = (b"", b"1", b"2", b"3", b"44", b"55", b"666")


def random_story(chance: random.Random) -> Story:
    """A tree of up to twenty files after up to twenty operations; the same for the same seed."""
    tree: Tree = {}
    for name in chance.sample(DEEP_NAMES, chance.randint(0, 20)):
        if fits(tree, name):
            tree[name] = chance.choice(DEEP_CONTENTS)
    world, deeds, calm = settled(tree), [], chance.random() < 0.6
    for _ in range(chance.randint(1, 20)):
        deed = _random_operation(chance, world, calm=calm)
        if (after := done(world, deed)) is not None:
            world = after
            deeds.append(deed)
    return Story(tree, tuple(deeds), world)


def _random_operation(chance: random.Random, world: World, *, calm: bool) -> Operation:
    """Mostly of what is there; a `calm` world can all be read."""
    verbs = ("write", "delete", "rename", "rename", "swap", "touch", "meddle", "take", "retouch")
    verb = chance.choice(verbs if calm else (*verbs, "deny", "hide", "hide_there"))
    known = sorted({*world.source, *world.target})
    name = chance.choice(known) if known and chance.random() < 0.7 else chance.choice(DEEP_NAMES)
    others = sorted(world.source) if verb == "swap" else DEEP_NAMES
    other = chance.choice(others) if others else ""
    if chance.random() < 0.02:
        return Operation("forget")
    return Operation(verb, name, other if other != name else "never", chance.choice(DEEP_CONTENTS))
