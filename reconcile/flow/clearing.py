"""Whether a directory of a target makes room for a file, once all is gone that is to go."""

from __future__ import annotations

from collections.abc import Container

from reconcile.abilities import Nesting
from reconcile.core.entry import Kind, Problem
from reconcile.core.path import is_under, parents
from reconcile.ports import Store


def what_stays(target: Store, directory: str, going: Container[str]) -> str:
    """What keeps `directory` where it is when the files `going` have left; "" for nothing.

    That is what does not go, filters do not hide it, or a directory that the store leaves to whoever made it.
    """
    nesting = target if isinstance(target, Nesting) else None
    for item in target.list(directory):
        if isinstance(item, Problem) or (item.kind is not Kind.DIRECTORY and item.key not in going):
            return item.key
        within = (above for above in reversed(parents(item.key)) if is_under(above, directory))
        if nesting is not None and (lasting := next(filter(nesting.lasts, within), "")):
            return f"{lasting}/"
    return f"{directory}/" if nesting is not None and nesting.lasts(directory) else ""
