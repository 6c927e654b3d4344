"""Which adapter opens which URL: a plain table, and the plug-ins that are installed; imported only when asked for."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from importlib import import_module
import re
from typing import TYPE_CHECKING, Any, Final, cast

from msgspec.structs import replace

from reconcile.core.errors import UsageError
from reconcile.ports import Store, Walk
from reconcile.stores.options import Adapter, StoreOptions

if TYPE_CHECKING:
    from importlib.metadata import EntryPoints

GROUP: Final = "reconcile.stores"
"""The entry-point group of plug-ins: a scheme, and the class that opens it."""

_ADAPTERS: Final = {
    "file": ("reconcile.stores.local:LocalStore", "local or mounted directory"),
    "memory": ("reconcile.stores.memory:MemoryStore", "in-process, for tests and dry trials"),
    "s3": ("reconcile.stores.objects.store:ObjectStore", "Amazon S3 and everything S3-compatible"),
    "gs": ("reconcile.stores.objects.store:ObjectStore", "Google Cloud Storage"),
    "az": ("reconcile.stores.objects.store:ObjectStore", "Azure Blob Storage"),
    "dbfs": ("reconcile.stores.databricks.dbfs:DbfsStore", "Databricks File System"),
    "volume": ("reconcile.stores.databricks.volume:VolumeStore", "volumes of Unity Catalog (/Volumes/…)"),
    "workspace": ("reconcile.stores.databricks.workspace:WorkspaceStore", "workspace files, notebooks (/Workspace/…)"),
    "sqlite": ("reconcile.stores.tables.store:TableStore", "tables of a SQLite file, from CSV, TSV, JSON(L), Parquet"),
    "duckdb": ("reconcile.stores.tables.store:TableStore", "tables in a DuckDB file, from the same"),
    "postgresql": ("reconcile.stores.tables.store:TableStore", "tables in PostgreSQL, from the same"),
}

_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):")
"""At least two letters: `C:\\x` is a path."""


def scheme_of(url: str) -> str:
    """The scheme of a URL in lower case; `file` for a path."""
    found = _SCHEME.match(url)
    return found[1].lower() if found else "file"


def supported() -> dict[str, str]:
    """Every scheme that can be opened, and in words what it is; imports no adapter."""
    described = {plugin.name: f"plug-in {plugin.value}" for plugin in _plugins()}
    return described | {scheme: words for scheme, (_, words) in _ADAPTERS.items()}


def open_store(url: str, *, options: Mapping[str, Any] | None = None, walk: Walk | None = None) -> Store:
    """The store at a URL or a path; no network is asked yet.

    `options` are the words of the connection (`region`, `endpoint`, …), `walk` is how a local directory lists. Raises
    `UsageError` for a scheme nobody knows, and for a URL or an option its adapter cannot take.
    """
    adapter = _adapter(scheme_of(url), url)
    return adapter.open(url, replace(StoreOptions.of(options or {}), walk=walk))


def _adapter(scheme: str, url: str) -> type[Adapter]:
    try:
        if scheme in _ADAPTERS:
            module, _, name = _ADAPTERS[scheme][0].partition(":")
            return cast("type[Adapter]", getattr(import_module(module), name))
        for plugin in _plugins().select(name=scheme):
            return cast("type[Adapter]", plugin.load())
    except ImportError as error:
        raise UsageError(
            f"{scheme}: needs {error.name or error}, which is not installed", op="open", path=url
        ) from error
    near = get_close_matches(scheme, supported(), n=1)
    hint = f"did you mean {near[0]}:?" if near else f"known are {', '.join(sorted(supported()))}"
    raise UsageError(f"nothing installed can open {scheme}:", op="open", path=url, hint=hint)


def _plugins() -> EntryPoints:
    from importlib.metadata import entry_points  # noqa: PLC0415 - slow, and most runs need no plug-in

    return entry_points(group=GROUP)
