"""Loads a spec as every face does: found in its directory, and read, resolved and checked only once per text.

A spec whose text alone says everything (no placeholder, no `~`, no secret) is kept in the cache as what it was resolved
to, together with where its local paths led; as long as the text and those are the same, neither YAML nor the schema is
looked at again.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
import os.path
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from reconcile import __version__
from reconcile.spec.find import find_spec
from reconcile.spec.model import Spec
from reconcile.state.cache import open_cache

if TYPE_CHECKING:
    from reconcile.ports import Cache


class _Kept(msgspec.Struct, frozen=True):
    """A resolved spec, and where each of its local places led when its places were checked against each other."""

    spec: Spec
    real: dict[str, str]


def load(directory: str = ".", file: str | None = None, variables: Mapping[str, str] | None = None) -> Spec:
    """The spec of a directory, or the file named from it."""
    path = find_spec(directory, file)
    cache = open_cache("specs")
    try:
        name = None if variables else _name(path)
        return (_recalled(cache, name) if name else None) or _loaded(cache, name, path, variables)
    finally:
        cache.close()


def _name(path: Path) -> str | None:
    """What the spec is kept under; None when its text does not say everything."""
    text = path.read_bytes()
    if b"${" in text or b"~" in text:
        return None
    told = f"{__version__}\0{path.absolute()}\0{path}\0".encode("utf-8", "surrogateescape")
    return f"spec:{sha256(told + text).hexdigest()}"


def _recalled(cache: Cache, name: str) -> Spec | None:
    raw = cache.get(name)
    if raw is None:
        return None
    kept = msgspec.msgpack.decode(raw, type=_Kept)
    return kept.spec if all(os.path.realpath(place) == real for place, real in kept.real.items()) else None


def _loaded(cache: Cache, name: str | None, path: Path, variables: Mapping[str, str] | None) -> Spec:
    from reconcile.spec.load import load_spec  # noqa: PLC0415 - 40 ms that an unchanged spec need not pay

    spec = load_spec(
        path,
        variables=variables,
        known=lambda digest: cache.get(f"{__version__}:{digest}") is not None,
        remember=lambda digest: cache.put(f"{__version__}:{digest}", b"valid"),
    )
    if name is not None and not spec.secrets:
        places = (place for mapping in spec.mappings.values() for place in (mapping.source, mapping.target))
        real = {place: os.path.realpath(place) for place in places if place.startswith("/")}
        cache.put(name, msgspec.msgpack.encode(_Kept(spec, real)))
    return spec
