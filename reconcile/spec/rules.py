"""What a schema cannot say: places, overlaps, templates, regexes, dependencies."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
import os.path
from pathlib import Path
import re
from typing import Any, Final, NamedTuple

from reconcile.core.errors import UsageError
from reconcile.core.path import expression, shown
from reconcile.spec.document import Findings, Steps
from reconcile.spec.location import OBJECT_SCHEMES, WRITTEN_SCHEMES, Location, is_within, locate, realm, trail
from reconcile.spec.model import StoreSpec
from reconcile.spec.shape import did_you_mean
from reconcile.spec.units import size_bytes

Table = dict[str, Any]

_TEMPLATE: Final = re.compile(r"\{([^{}]*)\}")
_PLACEHOLDERS: Final = ("path", "dir", "name", "stem", "suffix", "sha256")
_VOLUME_DEPTH: Final = len(("Volumes", "catalog", "schema", "volume"))
_OF_ALL: Final = frozenset(
    {"/", "/FileStore", "/FileStore/packages", "/databricks", "/mnt", "/tmp", "/user", "/Users"}  # noqa: S108 - of DBFS
    | {f"/Workspace{below}" for below in ("", "/Users", "/Shared", "/Repos")}
)
"""Directories of DBFS and of the workspace that everybody shares: what is not ours there is others'."""

_WHOLES: Final = {r"/Workspace/(Users|Repos)/[^/]+": "the home directory", r"/mnt/[^/]+": "the whole mount"}

_SHORT_DIGEST: Final = re.compile(r"sha256:([1-9]|[1-5][0-9]|6[0-4])")


def check_store(name: str, store: StoreSpec, hidden: set[str], root: str, findings: Findings) -> bool:
    """Whether a connection is a place, under a name that is no scheme, that shows no secret."""
    at: Steps = ("stores", name)
    if name in WRITTEN_SCHEMES:
        findings.add(at, f"`{name}` is the beginning of a URL and cannot name a store", key=True)
    if any(text and text in store.url for text in hidden):
        findings.add((*at, "url"), "a secret would be shown here", "give it as `password`, `token` or another setting")
        return False
    endpoint = store.settings.get("endpoint", "")
    if "@" in endpoint.partition("://")[2].partition("/")[0]:
        findings.add((*at, "endpoint"), "credentials in a URL", "give them as settings of the store")
    return place_of(store.url, {}, root, (*at, "url"), findings) is not None


def place_of(text: str, stores: Mapping[str, StoreSpec], root: str, at: Steps, findings: Findings) -> Location | None:
    """The place a text names, or a problem."""
    try:
        return locate(text, stores, root)
    except UsageError as error:
        findings.add(at, error.message, error.hint)
        return None


class _Target(NamedTuple):
    name: str
    place: Location
    table: Table

    @property
    def fixed_table(self) -> tuple[str, str, str] | None:
        """Database, schema and name of the one table it fills, None when the name hangs on the file."""
        words = self.table.get("table", {})
        name = words.get("name", "{stem}")
        fixed = self.place.is_table and "{" not in name
        return (self.place.canonical, words.get("schema", "public"), name) if fixed else None


class Places:
    """The places of all mappings of one spec, and the rules that bind them."""

    def __init__(self, stores: Mapping[str, StoreSpec], broken: Collection[str], root: str, findings: Findings) -> None:
        """`broken` are the stores whose own problems are told already."""
        self._stores = stores
        self._broken = broken
        self._root = root
        self._findings = findings
        self._targets: list[_Target] = []

    def check(self, name: str, table: Table) -> bool:
        """Checks one mapping; whether its places are good."""
        at: Steps = ("mappings", name)
        source = self._place(table["source"], (*at, "source"))
        target = self._place(table["target"], (*at, "target"))
        if source is not None and source.is_table:
            self._findings.add((*at, "source"), "a database cannot be a source")
            source = None
        if target is not None:
            self._targets.append(_Target(name, target, table))
            self._check_target(at, target, table)
        if source is not None and target is not None:
            self._check_apart(at, source, target)
        return source is not None and target is not None

    def _place(self, text: str, at: Steps) -> Location | None:
        if self._findings.at(at) or text.partition(":")[0] in self._broken:
            return None
        return place_of(text, self._stores, self._root, at, self._findings)

    def _check_target(self, at: Steps, target: Location, table: Table) -> None:
        if table.get("unmanaged") == "delete" and (what := _too_much(target)):
            self._findings.add((*at, "unmanaged"), f"`delete` would empty {what}", "give the target a directory below")
        if target.is_table:
            self._check_tables(at, table)
        elif "table" in table and (*at, "table") not in self._findings.origins:
            self._findings.add((*at, "table"), "the target holds files, not tables", key=True)

    def _check_tables(self, at: Steps, table: Table) -> None:
        if table.get("direction") == "two-way":
            self._findings.add((*at, "direction"), "tables go one way only")
        if table.get("layout", "{path}") != "{path}":
            self._findings.add((*at, "layout"), "files become tables here", "table.name says which")
        if table.get("unmanaged") == "delete":
            self._findings.add((*at, "unmanaged"), "tables that are not ours are never dropped", "leave it out")

    def _check_apart(self, at: Steps, source: Location, target: Location) -> None:
        if is_within(source, target):
            self._findings.add((*at, "source"), "the source lies inside its own target")
        elif is_within(target, source):
            self._findings.add((*at, "target"), "the target lies inside its own source")

    def check_overlaps(self) -> None:
        """No two targets may be the same place, or one inside the other; tables of one database by their names."""
        for outer, inner in _nested(self._targets):
            how = "is also the target" if trail(outer.place) == trail(inner.place) else "lies inside the target"
            self._overlap(outer, inner, how)
        first: dict[tuple[str, str, str], _Target] = {}
        for target in self._targets:
            if (table := target.fixed_table) is not None and first.setdefault(table, target) is not target:
                self._overlap(first[table], target, "holds the same table as the target")

    def _overlap(self, outer: _Target, inner: _Target, how: str) -> None:
        message = f"{shown(inner.place.canonical)} {how} of `{outer.name}`"
        self._findings.add(("mappings", inner.name, "target"), message, "give each mapping a place of its own")


def _too_much(target: Location) -> str:
    """What `unmanaged: delete` would empty that nobody means, in words."""
    if target.scheme == "file":
        path = Path(os.path.realpath(target.path))
        if path == path.parent:
            return "the whole file system"
        home = Path(os.path.realpath(locate("~", {}, "").path))
        return "the home directory" if home.is_relative_to(path) else ""
    if target.scheme in OBJECT_SCHEMES:
        return "" if target.path else "the whole bucket"
    if target.scheme == "volume":
        return "the whole volume" if len(trail(target)) == _VOLUME_DEPTH else ""
    for pattern, what in _WHOLES.items():
        if re.fullmatch(pattern, target.path):
            return what
    return f"all of {target.url}" if target.path in _OF_ALL else ""


def _nested(targets: list[_Target]) -> Iterator[tuple[_Target, _Target]]:
    """Each target that is within another, with the nearest around it; tables of one database are not.

    Sorted by segments, everything inside a place follows it at once, so a stack of the places around is enough.
    """
    realms: dict[tuple[str, str, str], list[tuple[tuple[str, ...], int]]] = {}
    for index, target in enumerate(targets):
        realms.setdefault(realm(target.place), []).append((trail(target.place), index))
    for members in realms.values():
        around: list[tuple[tuple[str, ...], int]] = []
        for below, inner in sorted(members):
            while around and below[: len(around[-1][0])] != around[-1][0]:
                around.pop()
            if around and not (targets[around[-1][1]].place.is_table and targets[inner].place.is_table):
                yield targets[around[-1][1]], targets[inner]
            around.append((below, inner))


def check_settings(name: str, table: Table, findings: Findings) -> None:
    """The rules of one mapping that need nothing but its own words."""
    at: Steps = ("mappings", name)
    _check_template(table.get("layout", "{path}"), (*at, "layout"), findings, _PLACEHOLDERS)
    words = table.get("table", {})
    _check_template(words.get("name", "{stem}"), (*at, "table", "name"), findings, (*_PLACEHOLDERS, "dirs"))
    for word, regexes in (table.get("patterns") or {}).items():
        for index, regex in enumerate(regexes or ()):
            _check_regex(regex, (*at, "patterns", word, index), findings)
    sizes = [size_bytes(table[word]) for word in ("min_size", "max_size") if word in table]
    if len(sizes) == 2 and sizes[0] > sizes[1]:
        findings.add((*at, "min_size"), "is more than max_size: nothing fits")
    if table.get("direction") == "two-way" and table.get("layout", "{path}") != "{path}":
        findings.add((*at, "layout"), "two-way mappings mirror the tree", "leave `layout` out")


def _check_template(text: str, at: Steps, findings: Findings, known: tuple[str, ...]) -> None:
    for placeholder in _TEMPLATE.findall(text):
        if placeholder not in known and not _SHORT_DIGEST.fullmatch(placeholder):
            close = did_you_mean(f"{{{placeholder}}}", [f"{{{word}}}" for word in known])
            hint = close or "known are " + ", ".join(f"{{{word}}}" for word in known)
            findings.add(at, f"`{{{shown(placeholder)}}}` means nothing here", hint)
    rest = _TEMPLATE.sub("x", text)
    if "{" in rest or "}" in rest:
        findings.add(at, "a brace without its other half")
    if rest.startswith("/") or any(part in ("", ".", "..") for part in rest.split("/")):
        findings.add(at, "must stay inside the target", "no `..`, no slash at an end, no `//`")


def _check_regex(regex: str, at: Steps, findings: Findings) -> None:
    try:
        expression(regex)
    except (re.error, OverflowError, RecursionError) as error:
        findings.add(at, f"not a regular expression: {shown(str(error))}")


def check_dependencies(mappings: Mapping[str, Table], names: list[str], findings: Findings) -> None:
    """Every `depends_on` is one of the `names` of mappings, and none waits for itself."""
    for name, table in mappings.items():
        for index, other in enumerate(table.get("depends_on", ())):
            if other not in names:
                hint = did_you_mean(other, names)
                message = f"there is no mapping `{shown(other)}`"
                findings.add(("mappings", name, "depends_on", index), message, hint)
    for cycle in _cycles({name: table.get("depends_on", ()) for name, table in mappings.items()}):
        findings.add(("mappings", cycle[0], "depends_on"), "waits for itself: " + " → ".join((*cycle, cycle[0])))


def _cycles(graph: Mapping[str, list[str]]) -> Iterator[list[str]]:
    """One cycle for each way back found by a depth-first walk, in order of the file; no recursion."""
    done: set[str] = set()
    for start in graph:
        path: list[str] = []
        stack = [(start, False)]
        while stack:
            name, leaving = stack.pop()
            if leaving:
                done.add(path.pop())
            elif name in path:
                yield path[path.index(name) :]
            elif name not in done and name in graph:
                path.append(name)
                stack.append((name, True))
                stack.extend((other, False) for other in reversed(graph[name]))
