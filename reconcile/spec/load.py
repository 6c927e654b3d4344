"""From a file, or a document built in code, to a `Spec`: read, replace placeholders, check, merge, convert."""

from __future__ import annotations

from collections.abc import Mapping
import os
from pathlib import Path
from typing import Any, Final

import msgspec

from reconcile.core.errors import UsageError
from reconcile.core.path import shown
from reconcile.spec.convert import digest_of, mapping_spec, notify_spec, store_spec, watch_spec
from reconcile.spec.document import Document, Findings, Steps
from reconcile.spec.location import locate
from reconcile.spec.merge import merge, pruned
from reconcile.spec.model import DEFAULT_STATE, Spec, StoreSpec
from reconcile.spec.model import Mapping as MappingSpec
from reconcile.spec.placeholders import Context, Resolver, hidden_values
from reconcile.spec.plain import plain
from reconcile.spec.rules import Places, check_dependencies, check_settings, check_store, place_of
from reconcile.spec.secret import Secret
from reconcile.spec.shape import Known, Remember, check_shape, did_you_mean
from reconcile.spec.yaml import MAX_BYTES, parse

Table = dict[str, Any]

_SETTINGS: Final = ["state", "variables", "stores", "defaults", "mappings", "watch", "notify"]
"""What a spec may say beside its version."""


def load_spec(
    path: str | Path,
    *,
    variables: Mapping[str, str] | None = None,
    environ: Mapping[str, str] | None = None,
    known: Known | None = None,
    remember: Remember | None = None,
) -> Spec:
    """The spec in a file; `SpecError` with all its problems, `UsageError` when the file cannot be read.

    `variables` are those of the command line. `known` and `remember` let a cache say that a spec with this digest was
    checked against the schema before.
    """
    file = Path(path)
    try:
        with file.open("rb") as stream:
            text = stream.read(MAX_BYTES + 1)
    except OSError as error:
        reason = error.strerror or "cannot be read"
        hint = "`reconcile init` writes one" if isinstance(error, FileNotFoundError) else ""
        raise UsageError(reason, op="read", path=shown(str(path)), hint=hint) from error
    document = parse(text, str(path))
    return _Loading(document, _absolute(file.parent), variables, environ).spec(known, remember)


def build(
    document: Mapping[str, object],
    *,
    root: str | Path = ".",
    file: str = "",
    variables: Mapping[str, str] | None = None,
    environ: Mapping[str, str] | None = None,
) -> Spec:
    """The spec of a document made in code, checked as a file is; `version` may be left out."""
    value = plain({"version": 1, **document}, file)
    return _Loading(Document(value, file), _absolute(root), variables, environ).spec()


def _is_foreign(raw: Table) -> bool:
    """Whether nothing in a document but perhaps a `version`, which many have, is even meant as a setting of a spec."""
    return bool(raw.keys() - {"version"}) and not any(did_you_mean(name, _SETTINGS) for name in raw)


def _absolute(directory: str | Path) -> str:
    """Absolute and without `..`, symlinks kept: `${source.name}` is what the user sees."""
    return os.path.normpath(Path(directory).absolute())


class _Loading:
    """One spec on its way; gathers every problem of every step before it gives up."""

    def __init__(
        self,
        document: Document,
        root: str,
        variables: Mapping[str, str] | None,
        environ: Mapping[str, str] | None,
    ) -> None:
        self._document = document
        self._root = root
        self._findings = Findings(document)
        surroundings = os.environ if environ is None else environ
        self._resolver = Resolver(self._findings, variables or {}, surroundings)
        self._variables: dict[str, str] = {}

    def spec(self, known: Known | None = None, remember: Remember | None = None) -> Spec:
        """All steps in order."""
        raw = self._document.value
        if not isinstance(raw, dict):
            what = "is empty" if raw is None else "should be a table of settings"
            self._findings.add((), what, "`reconcile init` writes one to begin with")
            raise self._findings.error()
        if _is_foreign(raw):
            autosync = "`reconcile init --from FILE` translates an Autosync configuration"
            hint = autosync if "local_root" in raw else "`reconcile init` writes one, -f FILE names another"
            self._findings.add((), "is no spec of reconcile: it has no `mappings`", hint)
            raise self._findings.error()
        self._variables = self._resolver.declare(raw.get("variables"))
        resolved = self._resolved(raw)
        bad = {_whole(at) for at in check_shape(resolved, self._findings, known, remember)}
        sound = pruned(resolved, bad)
        assert isinstance(sound, dict)
        stores = self._stores(sound)
        mappings = self._mappings(raw, bad, stores)
        self._check_rest(sound, stores)
        if self._findings:
            raise self._findings.error()
        return self._assembled(sound, stores, mappings)

    def _resolved(self, raw: Table) -> Table:
        """The document as the schema sees it: what hangs on a mapping stays a placeholder in `defaults`."""
        tree = self._resolver.tree
        resolved: Table = {}
        for key, value in raw.items():
            if key == "variables":
                resolved[key] = value
            elif key == "mappings" and isinstance(value, dict):
                resolved[key] = {name: self._resolved_mapping(name, each) for name, each in value.items()}
            else:
                resolved[key] = tree(value, (key,), Context(later=key == "defaults"))
        return resolved

    def _resolved_mapping(self, name: str, table: object) -> object:
        """One mapping with its placeholders replaced; its source first, because the others may name it."""
        at: Steps = ("mappings", name)
        source = table.get("source") if isinstance(table, dict) else None
        told = self._resolver.tree(source, (*at, "source"), Context(name)) if isinstance(source, str) else None
        source_name = _last_part(told, self._root) if isinstance(told, str) else None
        return self._resolver.tree(table, at, Context(name, source_name))

    def _stores(self, sound: Table) -> dict[str, StoreSpec]:
        """The connections that are in order."""
        hidden, stores = self._resolver.hidden, {}
        for name, table in (sound.get("stores") or {}).items():
            if "url" in table:
                store = store_spec(name, table)
                hidden.update(text.reveal() for text in store.settings.values() if isinstance(text, Secret))
                if check_store(name, store, hidden, self._root, self._findings):
                    stores[name] = store
        return stores

    def _mappings(self, raw: Table, bad: set[Steps], stores: dict[str, StoreSpec]) -> dict[str, MappingSpec]:
        """Merged, resolved, checked and typed, in the order of the file."""
        sound: Any = pruned(raw, bad)
        tables = {name: self._merged(name, sound) for name in sound.get("mappings") or ()}
        broken = set(_names(raw.get("stores"))) - set(stores)
        places = Places(stores, broken, self._root, self._findings)
        placed = [name for name, table in tables.items() if places.check(name, table)]
        for name, table in tables.items():
            check_settings(name, table, self._findings)
        places.check_overlaps()
        check_dependencies(tables, _names(raw.get("mappings")), self._findings)
        if self._findings:
            return {}
        return {name: mapping_spec(name, tables[name], stores, self._root) for name in placed}

    def _merged(self, name: str, sound: Table) -> Table:
        """One mapping over the defaults, its placeholders replaced; what is null counts as not written."""
        at: Steps = ("mappings", name)
        merged = merge(sound.get("defaults") or {}, sound["mappings"][name], at, self._findings.origins, ("defaults",))
        table = self._resolved_mapping(name, merged)
        assert isinstance(table, dict)
        return {word: value for word, value in table.items() if value is not None}

    def _check_rest(self, sound: Table, stores: dict[str, StoreSpec]) -> None:
        state = place_of(sound.get("state", DEFAULT_STATE), stores, self._root, ("state",), self._findings)
        if state is not None and state.is_table:
            self._findings.add(("state",), "a database cannot hold the state", "write a file: state/reconcile.db")
        watch = watch_spec(sound.get("watch") or {})
        if watch.debounce_s > watch.max_delay_s:
            self._findings.add(("watch", "debounce"), "is longer than max_delay")
        for name in self._resolver.unused():
            hint = did_you_mean(name, list(self._variables))
            self._findings.add(("variables",), f"--var {shown(name)}: there is no such variable", hint)

    def _assembled(self, sound: Table, stores: dict[str, StoreSpec], mappings: dict[str, MappingSpec]) -> Spec:
        spec = Spec(
            version=sound["version"],
            state=sound.get("state", DEFAULT_STATE),
            variables=self._variables,
            stores=stores,
            mappings=mappings,
            watch=watch_spec(sound.get("watch") or {}),
            notify=notify_spec(sound.get("notify") or {}),
            root=self._root,
            file=self._document.file,
            secrets=hidden_values(self._resolver.hidden, self._variables),
        )
        return msgspec.structs.replace(spec, digest=digest_of(spec))


def _names(table: object) -> list[str]:
    return list(table) if isinstance(table, dict) else []


def _whole(at: Steps) -> Steps:
    """What a bad place takes with it: all of a list, so that no index shifts; a mapping with a bad source or target."""
    if at[:1] == ("mappings",) and at[2:] in (("source",), ("target",)):
        return at[:2]
    return next((at[:length] for length, step in enumerate(at) if isinstance(step, int)), at)


def _last_part(source: str, root: str) -> str:
    """`${source.name}`: the last part of a source, of the directory itself when the source is `.`."""
    try:
        place = locate(source, {}, root)
    except UsageError:
        return source.rstrip("/:").replace(":", "/").rpartition("/")[2]
    return (place.path.rstrip("/\\") or place.container).replace("\\", "/").rpartition("/")[2]
