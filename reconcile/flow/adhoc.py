"""A spec from a command line: one mapping, and a state of its own for each pair of source and target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
import os
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from reconcile.core.errors import NotFoundError, UsageError
from reconcile.flow.layout import is_template
from reconcile.spec.init import flowing, mapping_name
from reconcile.spec.load import build
from reconcile.spec.location import Location, locate
from reconcile.spec.model import Spec
from reconcile.spec.yaml import parse
from reconcile.state.files import replacing, write

STATE: Final = "reconcile.db"
OF_THE_CONNECTION: Final = frozenset({"endpoint", "region", "profile", "account"})

_LEFT: Final = "# What `reconcile sync` does here, for the other verbs. The next `sync` writes it anew.\n{document}"


@dataclass(frozen=True, slots=True)
class Adhoc:
    """What `sync` was asked for, as the document of a spec that could stand in a file anywhere."""

    document: dict[str, Any]
    directory: Path
    source: str = ""
    """Its path, where the source is on this machine."""
    fills_tables: bool = False

    @property
    def spec(self) -> Spec:
        """The document, checked as a file is."""
        return build(self.document, root=self.directory)

    def check_source(self) -> None:
        """`NotFoundError` where there is no source, and never was: a word that was mistyped leaves nothing behind."""
        if not self.source or os.path.lexists(self.source) or self.directory.exists():
            return
        raise NotFoundError("does not exist", op="open", path=self.source, hint="nothing was made; name another source")

    def leave(self) -> Path | None:
        """Writes it beside its state, so that every verb can be run on it; None where there is no state yet."""
        file = self.directory / "reconcile.yaml"
        if not (self.directory / STATE).exists():
            return None
        content = _LEFT.format(document="".join(f"{key}: {flowing(value)}\n" for key, value in self.document.items()))
        with replacing(file) as temporary:
            write(temporary, content.encode())
        return file


def adhoc(source: str, target: str, settings: Sequence[str] = (), *, root: str = ".") -> Adhoc:
    """What `sync SOURCE TARGET` asks for; `settings` are `key=value`, dots for the nested.

    A value is as YAML has it, but for `{stem}` and the like, which a shell has taken out of its quotes: that is text.
    Relative paths hang on `root`, and are made absolute: the records are the same from wherever it is called.
    """
    here, there = (locate(text, {}, os.path.abspath(root)) for text in (source, target))  # noqa: PTH100 - no symlinks
    mapping: dict[str, Any] = {}
    for setting in settings:
        _set(mapping, setting)
    mapping |= {"source": _plain(here), "target": _plain(there)}
    pair = f"{here.canonical}\n{there.canonical}".encode("utf-8", "surrogateescape")
    directory = state_directory() / sha256(pair).hexdigest()[:32]
    name = mapping_name(here.path or here.container)
    document = {"version": 1, "state": STATE, "mappings": {name: mapping}}
    return Adhoc(document, directory, here.path if here.scheme == "file" else "", fills_tables=there.is_table)


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
    at[last] = value if is_template(value) else parse(value, f"--set {key}").value
