"""What a text names as a place: a path, a URL, or STORE:path."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
import os.path
from pathlib import Path
import re
from typing import TYPE_CHECKING, Final

from msgspec import Struct
from msgspec.structs import replace

from reconcile.core.errors import UsageError
from reconcile.core.path import volume_path
from reconcile.spec.model import Spec, StoreSpec

if TYPE_CHECKING:
    from urllib.parse import SplitResult

OBJECT_SCHEMES: Final = frozenset({"s3", "gs", "az"})
DATABRICKS_SCHEMES: Final = frozenset({"dbfs", "volume", "workspace"})
TABLE_SCHEMES: Final = frozenset({"sqlite", "duckdb", "postgresql"})
_SERVER: Final = frozenset({"host", "hostaddr", "port"})
"""Words behind the `?` of a PostgreSQL URL that say which server it is."""

WRITTEN_SCHEMES: Final = (
    "s3",
    "gs",
    "az",
    "dbfs",
    "volume",
    "workspace",
    "file",
    "memory",
    "sqlite",
    "duckdb",
    "postgresql",
)

# Two letters at least: `C:\data` is a path.
_SCHEMED: Final = re.compile(r"([A-Za-z0-9_][A-Za-z0-9_+.-]+):(.*)", re.DOTALL)
_WORDS: Final = {
    "s3": ("endpoint", "region", "profile"),
    "gs": ("endpoint",),
    "az": ("endpoint", "account"),
    **dict.fromkeys(DATABRICKS_SCHEMES, ("host", "profile")),
}
"""What may stand behind the `?` of a URL; everything else, above all what is secret, belongs in `stores:`."""
_SPOKEN: Final = re.compile(r"\?(?=\w+=)")
"""Begins the words of a URL, also those that may not stand there: a secret must not pass for a directory's name."""
_TOLD_APART_BY: Final = {
    **dict.fromkeys(OBJECT_SCHEMES, ("account", "endpoint")),
    **dict.fromkeys(DATABRICKS_SCHEMES, ("host", "profile")),
}


class Location(Struct, frozen=True, kw_only=True):
    """One place, in canonical form and without credentials.

    `scheme` is one of s3, gs, az, dbfs, volume, workspace, file, memory, sqlite, duckdb, postgresql, or a plug-in's.
    `container` is the bucket, the in-process name or the database host. `path` is what is inside it, without a slash at
    its end: an absolute native path for file, sqlite and duckdb, one that begins with `/` for Databricks, a prefix for
    object stores, the database for postgresql. `apart` tells equal URLs of two services apart (endpoint, account,
    host, profile). `connect` is what a driver is given: the URL, for postgresql with its user and words, never with a
    password.
    """

    scheme: str
    url: str
    container: str = ""
    path: str = ""
    apart: str = ""
    connect: str = ""
    store: StoreSpec | None = None

    @property
    def canonical(self) -> str:
        """The text that stands for the place in scopes."""
        return f"{self.url}?{self.apart}" if self.apart else self.url

    @property
    def is_table(self) -> bool:
        """Whether it holds tables, not files."""
        return self.scheme in TABLE_SCHEMES

    @property
    def is_local(self) -> bool:
        """Whether `path` is a path of this machine."""
        return self.scheme in ("file", "sqlite", "duckdb")


def resolve_url(spec: Spec, text: str) -> Location:
    """The place a source, target or state text of this spec names; `UsageError` when it names none."""
    return locate(text, spec.stores, spec.root)


def locate(text: str, stores: Mapping[str, StoreSpec], root: str) -> Location:
    """The place that `text` names; relative paths hang on `root`. Nothing is looked at, local or remote."""
    if "\0" in text:
        raise UsageError("a path cannot hold a NUL character")
    if text in stores:
        return _whole_store(stores[text], root)
    if re.match(r"/(Volumes|Workspace)(/|$)", text):
        return _databricks(text)
    found = _SCHEMED.fullmatch(text)
    if found is None:
        return _local(text, root)
    scheme, rest = found[1], found[2]
    if scheme in stores:
        return _in_store(stores[scheme], rest, root)
    if scheme in _PARSERS:
        return _PARSERS[scheme](rest, root)
    return _plugged(scheme, rest, stores)


def _whole_store(store: StoreSpec, root: str) -> Location:
    """A database is named by its connection alone; for all others that could be a local path as well."""
    place = _in_store(store, "", root)
    if not place.is_table:
        raise UsageError(
            f"`{store.name}` is a store and could be a path", hint=f"write {store.name}: or ./{store.name}"
        )
    return place


def _in_store(store: StoreSpec, rest: str, root: str) -> Location:
    base = locate(store.url, {}, root)
    if base.store is not None or (base.scheme in _WORDS and _SPOKEN.search(rest)):
        hint = f"write them as settings of `{store.name}` in `stores:`, beside its url"
        raise UsageError("a connection of `stores:` takes no words behind a `?`", hint=hint)
    if base.is_table:
        if rest:
            raise UsageError(f"`{store.name}` is a database and takes no path", hint="table.name says where inside")
    elif rest:
        base = locate(f"{store.url.rstrip('/')}/{_segments(rest)}", {}, root)
    return replace(base, apart=_apart(base.scheme, store), store=store)


def _apart(scheme: str, store: StoreSpec) -> str:
    """What tells a place of this connection from one with the same URL elsewhere."""
    told = ((word, store.settings.get(word, "").rstrip("/")) for word in _TOLD_APART_BY.get(scheme, ()))
    return "&".join(f"{word}={text}" for word, text in told if text)


def _local(text: str, root: str) -> Location:
    try:
        told = Path(text).expanduser() if text.startswith("~") else text  # a `Path` would take `./~` for `~`
        path = os.path.normpath(Path(root, told))
    except RuntimeError as error:
        raise UsageError("`~` names no home directory", hint=f"a file of that name is written ./{text}") from error
    return Location(scheme="file", url="file://" + _slashed(path), path=path)


def _slashed(path: str) -> str:
    forward = path.replace("\\", "/") if os.path.sep == "\\" else path
    return forward if forward.startswith("/") else "/" + forward


def _file(rest: str, root: str) -> Location:
    if not rest.startswith("///"):
        raise UsageError("a file URL needs three slashes", hint="file:///dir")
    from urllib.request import url2pathname  # noqa: PLC0415  20 ms, for a rare form

    return _local(url2pathname(rest[2:]), root)


def _object(scheme: str) -> Callable[[str, str], Location]:
    def parse(rest: str, _root: str) -> Location:
        named, *spoken = _SPOKEN.split(_after_slashes(scheme, rest), maxsplit=1)
        bucket, _, prefix = named.partition("/")
        if "@" in bucket:
            raise UsageError("credentials in a URL", hint="name the connection in `stores:` and give them there")
        if not bucket:
            raise UsageError(f"`{scheme}://` names no bucket", hint=f"{scheme}://BUCKET/PREFIX")
        prefix = _segments(prefix)
        url = f"{scheme}://{bucket}/{prefix}" if prefix else f"{scheme}://{bucket}"
        return _reached(Location(scheme=scheme, url=url, container=bucket, path=prefix, connect=url), spoken)

    return parse


def _reached(place: Location, spoken: Sequence[str]) -> Location:
    """The place, with what the words behind its `?` say, if there are any, of how it is reached."""
    if not spoken:
        return place
    store = StoreSpec(name="", url=place.url, settings=_spoken(place.scheme, spoken[0]))
    return replace(place, apart=_apart(place.scheme, store), store=store)


def _spoken(scheme: str, text: str) -> dict[str, str]:
    """The words behind the `?` of a URL."""
    from urllib.parse import unquote  # noqa: PLC0415  5 ms, for a rare form

    words = {name: unquote(word) for name, _, word in (part.partition("=") for part in text.split("&"))}
    for name, word in words.items():
        if name not in _WORDS[scheme] or not word:
            close = get_close_matches(name, _WORDS[scheme], n=1, cutoff=0.75)
            may = f"…?{_WORDS[scheme][0]}=… may be said; all else is named in `stores:`"
            hint = f"did you mean `{close[0]}`?" if close else may
            raise UsageError(f"`{name}` is not said in a URL" if word else f"`{name}` says nothing", hint=hint)
    if any("@" in words.get(name, "") for name in ("endpoint", "host")):
        raise UsageError("credentials in a URL", hint="name the connection in `stores:` and give them there")
    return words


def _after_slashes(scheme: str, rest: str) -> str:
    if not rest.startswith("//"):
        raise UsageError(f"`{scheme}:` needs two slashes", hint=f"{scheme}://…, or name a connection in `stores:`")
    return rest[2:]


def _segments(path: str) -> str:
    """A path inside a store, without slashes around it; `.`, `..` and empty segments would name two things at once."""
    inner = path.strip("/")
    for segment in inner.split("/") if inner else ():
        if segment in ("", ".", ".."):
            raise UsageError(f"a path in a store cannot have a `{segment}` part" if segment else "`//` in a path")
    return inner


def _dbfs(rest: str, _root: str) -> Location:
    if rest.startswith("//") and not rest.startswith("///"):
        raise UsageError("`dbfs://` is not a DBFS path", hint="dbfs:/path")
    named, *spoken = _SPOKEN.split(rest, maxsplit=1)
    inner = "/" + _segments(named)
    if re.match(r"/Volumes(/|$)", inner):
        return _databricks(rest)
    return _reached(Location(scheme="dbfs", url="dbfs:" + inner, path=inner, connect="dbfs:" + inner), spoken)


def _workspace(rest: str, _root: str) -> Location:
    inner = "/" + rest.strip("/")
    return _databricks(inner if re.match(r"/Workspace([/?]|$)", inner) else "/Workspace" + inner)


def _volume(rest: str, _root: str) -> Location:
    place = _databricks(rest)
    if place.scheme != "volume":
        raise UsageError(f"`volume:{place.path}` is not inside a volume", hint="/Volumes/CATALOG/SCHEMA/VOLUME/…")
    return place


def _databricks(path: str) -> Location:
    named, *spoken = _SPOKEN.split(path, maxsplit=1)
    inner = "/" + _segments(named)
    scheme = "volume" if inner.startswith("/Volumes") else "workspace"
    if scheme == "volume" and inner.count("/") < 4:
        raise UsageError(f"`{inner}` is not inside a volume", hint="/Volumes/CATALOG/SCHEMA/VOLUME/…")
    inner = volume_path(inner) if scheme == "volume" else inner
    return _reached(Location(scheme=scheme, url=inner, path=inner, connect=f"{scheme}:{inner}"), spoken)


def _memory(rest: str, _root: str) -> Location:
    name, _, prefix = _after_slashes("memory", rest).partition("/")
    if not name:
        raise UsageError("`memory://` needs a name", hint="memory://trial")
    prefix = _segments(prefix)
    url = f"memory://{name}/{prefix}" if prefix else f"memory://{name}"
    return Location(scheme="memory", url=url, container=name, path=prefix, connect=url)


def _database_file(scheme: str) -> Callable[[str, str], Location]:
    def parse(rest: str, root: str) -> Location:
        name = rest.removeprefix("///")
        if name == rest or not name:
            hint = f"{scheme}:///relative.db or {scheme}:////absolute.db"
            raise UsageError(f"`{scheme}:` needs three slashes and a file", hint=hint)
        in_memory = name == ":memory:"
        if in_memory and scheme != "sqlite":
            raise UsageError("a database in memory is gone when the run ends", hint="name a file")
        path = name if in_memory else os.path.normpath(Path(root, name))
        url = f"{scheme}:///{path}"
        return Location(scheme=scheme, url=url, path=path, connect=url)

    return parse


def _postgresql(rest: str, _root: str) -> Location:
    from urllib.parse import parse_qsl, urlsplit  # noqa: PLC0415  5 ms, for databases only

    try:
        parts = urlsplit("postgresql:" + rest)
        _ = parts.port
    except ValueError as error:
        raise UsageError("not a PostgreSQL URL", hint="postgresql://USER@HOST:PORT/DATABASE") from error
    words = {word.lower(): value for word, value in parse_qsl(parts.query)}
    if parts.password or words.keys() & {"password", "sslpassword", "passfile"}:
        raise UsageError("a password in a URL", hint="name the connection in `stores:` with `password: ${env.…}`")
    database = parts.path.strip("/")
    if not database or "/" in database or words.keys() & {"dbname", "service"}:
        raise UsageError("a PostgreSQL URL names one database", hint="postgresql://USER@HOST:PORT/DATABASE")
    host, connect = _server(parts, words)
    return Location(
        scheme="postgresql",
        url=f"postgresql://{host}/{database}",
        container=host,
        path=database,
        connect=connect,
    )


def _server(parts: SplitResult, words: Mapping[str, str]) -> tuple[str, str]:
    """Which server it is, and the URL with that before its path: two sockets of one machine are two servers."""
    from urllib.parse import quote  # noqa: PLC0415  as above

    user, _, host = parts.netloc.rpartition("@")
    named = words.get("hostaddr") or words.get("host")
    port = words.get("port") or str(parts.port or "")
    if named:
        host = f"[{named}]" if ":" in named else quote(named, safe=",")
    elif "port" in words:
        host = parts.hostname or "localhost"
    if _SERVER & words.keys():
        host += f":{port}" if port else ""
    query = "&".join(word for word in parts.query.split("&") if word.partition("=")[0].lower() not in _SERVER)
    connect = parts._replace(netloc=f"{user}@{host}" if user else host, query=query).geturl()
    host = host.removesuffix(":5432") or "localhost"
    return host if "%2f" in host.lower() else host.lower(), connect


def _plugged(scheme: str, rest: str, stores: Mapping[str, StoreSpec]) -> Location:
    """A place of a plug-in's store; only asked for a scheme that is not our own."""
    if rest.startswith("//"):
        from importlib.metadata import entry_points  # noqa: PLC0415  20 ms, for plug-ins only

        if entry_points(group="reconcile.stores", name=scheme):
            url = f"{scheme}:{rest}"
            return Location(scheme=scheme, url=url, container=rest[2:].partition("/")[0], path=url, connect=url)
    known = list(WRITTEN_SCHEMES) if rest.startswith("//") else [*stores, *WRITTEN_SCHEMES]
    close = get_close_matches(scheme.lower(), known, n=1)
    what = f"`{scheme}://` is no store" if rest.startswith("//") else f"there is no store `{scheme}`"
    otherwise = "known are " + ", ".join(known) if rest.startswith("//") else f"a local path is written ./{scheme}:…"
    raise UsageError(what, hint=f"did you mean `{close[0]}`?" if close else otherwise)


_PARSERS: Final[dict[str, Callable[[str, str], Location]]] = {
    **{scheme: _object(scheme) for scheme in OBJECT_SCHEMES},
    **{scheme: _database_file(scheme) for scheme in ("sqlite", "duckdb")},
    "postgresql": _postgresql,
    "dbfs": _dbfs,
    "volume": _volume,
    "workspace": _workspace,
    "file": _file,
    "memory": _memory,
}


def is_within(inner: Location, outer: Location) -> bool:
    """Whether `inner` is the same place as `outer`, or lies inside it."""
    if realm(inner) != realm(outer):
        return False
    above, below = trail(outer), trail(inner)
    return below[: len(above)] == above


def realm(place: Location) -> tuple[str, str, str]:
    """What two places must share for one to be able to lie in the other; files and database files do."""
    return ("file" if place.is_local else place.scheme, place.container, place.apart)


def trail(place: Location) -> tuple[str, ...]:
    """The segments of a path, symlinks on this machine followed: what nesting is compared by."""
    path = _slashed(os.path.realpath(place.path)) if place.is_local else place.path
    return tuple(part for part in path.split("/") if part)
