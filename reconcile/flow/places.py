"""One store by itself, named on the command line: a mapping's target, STORE:path, a URL or a path."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from reconcile.abilities import Rooted
from reconcile.core.errors import NotFoundError
from reconcile.flow.tables import recipe_of
from reconcile.flow.wire import EVERYTHING
from reconcile.ports import Clock, Store
from reconcile.scan.walk import walk
from reconcile.spec.location import locate
from reconcile.spec.model import Spec
from reconcile.stores.registry import open_store
from reconcile.stores.wrap import ReadOnly, Retrying


def check_there(store: Store) -> None:
    """`NotFoundError` where an empty listing was that of nothing at all."""
    if isinstance(store, Rooted) and not store.has_root():
        raise NotFoundError("does not exist", op="list", path=store.url)


def open_place(text: str, spec: Spec | None, directory: str, *, clock: Clock, write: bool = False) -> Store:
    """The store that `text` names; relative paths hang on `directory`, STORE:path on the spec's connections."""
    mapping = spec.mappings.get(text) if spec is not None else None
    place = locate(mapping.target if mapping is not None else text, spec.stores if spec is not None else {}, directory)
    words: dict[str, object] = {**(place.store.revealed() if place.store is not None else {})}
    if mapping is not None and mapping.table is not None:
        words["recipe"] = recipe_of(mapping.table)
    where = place.path if place.scheme == "file" else place.connect or place.url
    store = open_store(where, options=words, walk=partial(walk, place.path, selection=EVERYTHING))
    patient = Retrying(store, clock=clock) if store.traits.waits else store
    return patient if write else ReadOnly(patient)


@contextmanager
def told_what_else(text: str, spec: Spec | None) -> Iterator[None]:
    """A word that nothing has as its name is told with what else could have been meant by it."""
    try:
        yield
    except NotFoundError as error:
        known = spec.mappings if spec is not None else {}
        if not error.hint and text not in known and not set("/\\:.") & set(text):
            there = f"there are: {', '.join(known)}" if known else "there is no spec here; -f FILE or -C DIR names one"
            error.hint = f"no mapping is called so either; {there}"
        raise
