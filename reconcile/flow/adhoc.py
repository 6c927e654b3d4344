"""A spec from a command line: one mapping, and a state of its own for each pair of source and target."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
import os
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from reconcile.core.errors import UsageError
from reconcile.spec.init import mapping_name
from reconcile.spec.load import build
from reconcile.spec.location import Location, locate
from reconcile.spec.model import Spec
from reconcile.spec.yaml import parse

OF_THE_CONNECTION: Final = frozenset({"endpoint", "region", "profile", "account"})


def adhoc_spec(source: str, target: str, settings: Sequence[str] = (), *, root: str = ".") -> Spec:
    """The spec of `sync SOURCE TARGET`; `settings` are `key=value`, the value as YAML has it, dots for what is nested.

    Relative paths hang on `root`, and are made absolute: the records are the same from wherever it is called.
    """
    here, there = (locate(text, {}, os.path.abspath(root)) for text in (source, target))  # noqa: PTH100 - no symlinks
    mapping: dict[str, Any] = {}
    for setting in settings:
        _set(mapping, setting)
    mapping |= {"source": _plain(here), "target": _plain(there)}
    state = state_directory() / sha256(f"{here.canonical}\n{there.canonical}".encode()).hexdigest()[:32]
    name = mapping_name(here.path or here.container)
    return build({"state": _literal(str(state / "reconcile.db")), "mappings": {name: mapping}}, root=root)


def state_directory() -> Path:
    """Where states without a spec are kept: `reconcile` in `XDG_STATE_HOME`, else in `~/.local/state`."""
    home = os.environ.get("XDG_STATE_HOME")
    try:
        return (Path(home) if home else Path.home() / ".local" / "state") / "reconcile"
    except RuntimeError as error:
        raise UsageError("this user has no home directory", op="sync", hint="set XDG_STATE_HOME") from error


def _plain(place: Location) -> str:
    """A place as a spec written anywhere would name it."""
    words = "&".join(f"{name}={quote(word)}" for name, word in place.store.settings.items()) if place.store else ""
    return _literal(place.path if place.scheme == "file" else f"{place.connect or place.url}?{words}".rstrip("?"))


def _literal(text: str) -> str:
    return text.replace("${", "$${")


def _set(mapping: dict[str, Any], setting: str) -> None:
    key, equals, value = setting.partition("=")
    *tables, last = key.split(".")
    if key in OF_THE_CONNECTION:
        told = f"`{key}` is said of the connection, not of the mapping"
        raise UsageError(told, op="--set", hint=f"write it behind the target: s3://BUCKET/PREFIX?{key}=…")
    if not equals or not all((*tables, last)) or key in ("source", "target"):
        raise UsageError(f"`{setting}` is not key=value", op="--set", hint="--set direction=two-way")
    at = mapping
    for table in tables:
        at = at.setdefault(table, {})
        if not isinstance(at, dict):
            raise UsageError(f"`{table}` was set to a value before", op="--set", hint="give it once")
    at[last] = parse(value, f"--set {key}").value
