"""Floor 2: YAML with line and column, JSON Schema, typed Spec."""

from __future__ import annotations

from reconcile.spec.load import build, find_spec, load_spec
from reconcile.spec.location import Location, resolve_url
from reconcile.spec.model import Mapping, Spec, StoreSpec, TableSpec
from reconcile.spec.secret import Secret

__all__ = [
    "Location",
    "Mapping",
    "Secret",
    "Spec",
    "StoreSpec",
    "TableSpec",
    "build",
    "find_spec",
    "load_spec",
    "resolve_url",
]
