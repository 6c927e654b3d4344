"""Loads a spec as every face does: found in its directory, and checked against the schema only once per text."""

from __future__ import annotations

from collections.abc import Mapping

from reconcile import __version__
from reconcile.spec.load import find_spec, load_spec
from reconcile.spec.model import Spec
from reconcile.state.cache import open_cache


def load(directory: str = ".", file: str | None = None, variables: Mapping[str, str] | None = None) -> Spec:
    """The spec of a directory, or the file named from it."""
    cache = open_cache("specs")
    try:
        return load_spec(
            find_spec(directory, file),
            variables=variables,
            known=lambda digest: cache.get(f"{__version__}:{digest}") is not None,
            remember=lambda digest: cache.put(f"{__version__}:{digest}", b"valid"),
        )
    finally:
        cache.close()
