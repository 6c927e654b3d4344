"""From a spec to objects: the state, the cache, and for each mapping two open stores, a filter and a scope."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from collections.abc import Mapping as Words
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import partial
from glob import escape
from hashlib import sha256
import os
from pathlib import Path
from typing import Final

from reconcile.core.errors import UsageError
from reconcile.core.path import is_under
from reconcile.core.record import Scope
from reconcile.flow.clock import RealClock
from reconcile.flow.learnt import Learnt, known_order
from reconcile.flow.memory import Memory
from reconcile.flow.reading import LocalReader
from reconcile.flow.wired import House, Sending, Wired
from reconcile.ports import Cache, Clock, Selection, StateStore, Store
from reconcile.scan.filters import Filter, Rules
from reconcile.scan.single import single
from reconcile.scan.walk import Walked, walk
from reconcile.spec.location import OBJECT_SCHEMES, Location, is_within, resolve_url, trail
from reconcile.spec.model import Mapping, Spec
from reconcile.state.cache import cache_directory, open_cache
from reconcile.state.files import make_private
from reconcile.state.files import write as write_file
from reconcile.state.place import is_local
from reconcile.state.store import open_state
from reconcile.stores.recipe import data_patterns
from reconcile.stores.registry import open_store
from reconcile.stores.wrap import ReadOnly, Retrying

EVERYTHING: Final = Filter(Rules())
"""A target is listed whole: what the filters leave out stands there all the same."""


@dataclass(frozen=True, slots=True)
class Reach:
    """What of a spec a command works on: the mappings named (all when empty), and the globs of `--path`."""

    mappings: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    concurrency: int = 0


def wire(spec: Spec, *, write: bool, clock: Clock, reach: Reach = Reach()) -> House:
    """Opens what the spec names; with `write` False nothing that is opened can change anything but the cache."""
    chosen = _chosen(spec, reach.mappings)
    refuse(spec, chosen)
    with ExitStack() as opened:
        state = state_of(spec, write=write)
        opened.callback(state.close)
        where = resolve_url(spec, spec.state).canonical
        cache = open_cache(f"state-{sha256(os.fsencode(where)).hexdigest()[:16]}")
        opened.callback(cache.close)
        wiring = _Wire(spec, state, cache, clock, _own(spec))
        mappings = [wiring.mapping(mapping, reach, write=write) for mapping in chosen]
        opened.pop_all()
        return House(state, cache, mappings, spec.digest, spec.file, frozenset(spec.mappings))


def refuse(spec: Spec, mappings: Iterable[Mapping]) -> None:
    """Refuses what a valid spec may ask for and this version cannot do, or must not: all at once; opens nothing."""
    refused = [*_unbuilt_notify(spec), *_deletes_the_state(spec), *_mixes_with_the_state(spec)]
    for mapping in mappings:
        refused += _unbuilt(mapping, resolve_url(spec, mapping.source))
    if refused:
        where = f"{spec.file}: " if spec.file else ""
        raise UsageError("\n".join(f"{where}{what}; {hint}" for what, hint in refused))


Refused = tuple[str, str]
"""What is refused, where; and what to write instead."""


def _unbuilt_notify(spec: Spec) -> Iterator[Refused]:
    if spec.notify.command or spec.notify.webhook is not None:
        yield "notify is not built yet", "leave it out for now"


def _deletes_the_state(spec: Spec) -> Iterator[Refused]:
    """A shared state inside a target is nobody's file there: `unmanaged: delete` would take it for one."""
    state = resolve_url(spec, spec.state)
    for mapping in spec.mappings.values():
        inside = not state.is_local and is_within(state, resolve_url(spec, mapping.target))
        if inside and mapping.policy.unmanaged == "delete":
            hint = "keep the state outside of the target, or unmanaged: keep"
            yield f"mapping {mapping.name}: unmanaged: delete would delete the state", hint


def _mixes_with_the_state(spec: Spec) -> Iterator[Refused]:
    """A file among those of a shared state would be taken for one of them, or they for it."""
    state = resolve_url(spec, spec.state)
    if state.is_local:
        return
    from reconcile.state.log import OWN  # noqa: PLC0415 - for a shared state only

    for mapping in spec.mappings.values():
        target = resolve_url(spec, mapping.target)
        below = trail(target)[len(trail(state)) :]
        if is_within(target, state) and (not below or below[0] in OWN):
            hint = "give the state, or the target, another directory"
            yield f"mapping {mapping.name}: its target is where the state is kept", hint


def state_of(spec: Spec, *, write: bool) -> StateStore:
    """The state: a file of this machine, or a shared one as numbered generations in any file store."""
    place = resolve_url(spec, spec.state)
    if place.scheme == "file" and is_local(place.path):
        return _own_state(Path(place.path), write=write)
    from reconcile.state.shared import open_shared  # noqa: PLC0415 - 15 ms, for a shared state only

    settings: Words[str, str] = place.store.revealed() if place.store is not None else {}
    where = place.path if place.scheme == "file" else place.connect or place.url
    store = open_store(where, options=settings, walk=partial(walk, place.path, selection=EVERYTHING))
    if write and place.scheme == "file":
        store.ensure()
    return open_shared(Retrying(store, clock=RealClock()), write=write)


def _own_state(path: Path, *, write: bool) -> StateStore:
    """A state of this machine; a directory made for it is kept out of version control."""
    fresh = write and not path.parent.exists()
    state = open_state(str(path), write=write)
    if fresh:
        with suppress(OSError):
            make_private(path.parent / ".gitignore")
            write_file(path.parent / ".gitignore", b"*\n")
    return state


def _chosen(spec: Spec, names: Sequence[str]) -> list[Mapping]:
    for name in names:
        if name not in spec.mappings:
            known = ", ".join(spec.mappings)
            raise UsageError(f"there is no mapping `{name}`", op="--mapping", hint=f"the spec has: {known}")
    return [mapping for name, mapping in spec.mappings.items() if not names or name in names]


@dataclass(frozen=True, slots=True)
class _Wire:
    """Wires one mapping at a time. `own` is ours: nobody's content on either side."""

    spec: Spec
    state: StateStore
    cache: Cache
    clock: Clock
    own: tuple[str, ...]

    def mapping(self, mapping: Mapping, reach: Reach, *, write: bool) -> Wired:
        """The mapping, open."""
        source, target = resolve_url(self.spec, mapping.source), resolve_url(self.spec, mapping.target)
        root, one_file = _local_root(source.path)
        walked = Walked()
        filters = self._filters(mapping, source, root)
        if one_file:
            here = open_store(root, walk=lambda _under: single(source.path, symlinks=mapping.symlinks))
        else:
            here = open_store(
                root, walk=partial(walk, root, selection=filters, symlinks=mapping.symlinks, walked=walked)
            )
        there = self._target(mapping, target, reach, write=write)
        written = mapping.source_as_written if source.is_local else source.canonical
        layout = mapping.layout if mapping.table is None else mapping.table.name
        scope = Scope(mapping.name, written, there.url, layout, mapping.direction)
        learnt = Learnt(self.cache, there, target.connect or target.url)
        learnt.recall()
        prints = self.cache.fingerprints(f"file://{root}")
        return Wired(
            name=mapping.name,
            scope=scope,
            source=ReadOnly(here),
            reader=LocalReader(root, here, mapping.symlinks == "follow"),
            target=there,
            selection=filters,
            policy=mapping.policy,
            protected=_protected(mapping.protect),
            sending=_sending(mapping),
            narrow=reach.paths,
            create_target=mapping.create_target is True or (mapping.create_target == "auto" and target.is_local),
            concurrency=reach.concurrency or mapping.concurrency,
            depends_on=mapping.depends_on,
            memory=Memory(self.cache, scope.id, root, prints, walked) if not one_file else None,
            portable_names=mapping.portable_names,
            learnt=learnt,
        )

    def _target(self, mapping: Mapping, place: Location, reach: Reach, *, write: bool) -> Store:
        settings: Words[str, str] = place.store.revealed() if place.store is not None else {}
        words: dict[str, object] = {**settings, "concurrency": reach.concurrency or mapping.concurrency}
        where = place.path if place.scheme == "file" else place.connect or place.url
        if place.scheme in OBJECT_SCHEMES and (order := known_order(self.cache, where)):
            words["order"] = order
        if mapping.table is not None:
            from reconcile.flow.tables import recipe_of  # noqa: PLC0415 - most mappings have none

            words["recipe"] = recipe_of(mapping.table)
        listed = Filter(Rules(excluded_keys=_inside(place.path, self.own))) if place.is_local else EVERYTHING
        store = open_store(where, options=words, walk=partial(walk, place.path, selection=listed))
        patient = Retrying(store, clock=self.clock) if store.traits.waits else store
        return patient if write else ReadOnly(patient)

    def _filters(self, mapping: Mapping, source: Location, root: str) -> Selection:
        return Filter(
            Rules(
                include=mapping.include or (data_patterns() if mapping.table is not None else ()),
                exclude=mapping.exclude,
                ignore_files=mapping.ignore_files,
                or_=mapping.patterns.any_of,
                and_=mapping.patterns.all_of,
                nor=mapping.patterns.none_of,
                nand=mapping.patterns.not_all_of,
                min_size=mapping.min_size,
                max_size=mapping.max_size,
                recursive=mapping.recursive,
                source_name=Path(source.path).name,
                excluded_keys=self._not_ours(mapping, root),
            )
        )

    def _not_ours(self, mapping: Mapping, root: str) -> tuple[str, ...]:
        """What lies inside the source but is a target of another mapping, or our own: a `state/` as a whole."""
        others = [resolve_url(self.spec, one.target) for one in self.spec.mappings.values() if one is not mapping]
        state = _state_file(self.spec)
        rooms = [str(state.parent)] if state is not None and state.parent.name == "state" else []
        targets = (os.path.realpath(place.path) for place in others if place.is_local)
        return _inside(root, (*targets, *rooms, *self.own))


def _own(spec: Spec) -> tuple[str, ...]:
    """The cache, and the state of this machine with all that lies beside it, as they are called in real directories."""
    own = [os.path.realpath(cache_directory())]
    if (state := _state_file(spec)) is not None:
        own += [f"{state}{side}" for side in ("", "-wal", "-shm", ".head")]
        own += map(str, state.parent.glob(f"{escape(state.name)}?*"))
    return tuple(own)


def _state_file(spec: Spec) -> Path | None:
    place = resolve_url(spec, spec.state)
    return Path(os.path.realpath(place.path)) if place.is_local else None


def _inside(root: str, real_paths: Iterable[str]) -> tuple[str, ...]:
    """Those of the paths that lie below the root, as keys."""
    root = os.path.realpath(root)
    return tuple(sorted(os.path.relpath(path, root) for path in real_paths if is_under(path, root)))


def _unbuilt(mapping: Mapping, source: Location) -> Iterator[Refused]:
    """What the schema knows and this version does not do yet is refused, never ignored."""
    for used, what, hint in (
        (mapping.direction != "one-way", "direction: two-way", "this version goes from the source to the target"),
        (not source.is_local or source.is_table, f"a source in {source.scheme}", "this version does local sources"),
        (mapping.policy.conflict == "both", "conflict: both", "write fail, source, target or newest"),
    ):
        if used:
            yield f"mapping {mapping.name}: {what} is not built yet", hint


def _local_root(path: str) -> tuple[str, bool]:
    """The directory to open, and whether the source is one file in it."""
    return (str(Path(path).parent), True) if Path(path).is_file() else (path, False)


def _protected(patterns: Sequence[str]) -> Callable[[str], bool]:
    if not patterns:
        return lambda _key: False
    return Filter(Rules(include=tuple(patterns))).file


def _sending(mapping: Mapping) -> Sending:
    attributes = dict(mapping.object.metadata)
    if mapping.object.cache_control:
        attributes["Cache-Control"] = mapping.object.cache_control
    return Sending(mapping.object.content_type, attributes, dict(mapping.object.tags), mapping.verify_writes)
