"""Files in a volume of Unity Catalog, through the Files API.

A create is bound to nothing being there by the service itself; before an update or a delete there is a look. A file
becomes visible whole or not at all: in one request that promised its size, or in parts that are completed in one step.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import Any, Final, Self

from msgspec.structs import replace

from reconcile.core.entry import ABSENT, Entry, Version
from reconcile.core.errors import (
    BusyError,
    ChangedError,
    DamagedError,
    DeniedError,
    NotFoundError,
    RefusedError,
    UsageError,
)
from reconcile.core.path import volume_path
from reconcile.ports import Body, Traits
from reconcile.stores.bodies import parts, whole
from reconcile.stores.databricks.client import Headers, Reply
from reconcile.stores.databricks.errors import DirectoryThereError, NoPartsError
from reconcile.stores.databricks.place import canonical, root_of
from reconcile.stores.databricks.store import NAME_BYTES, DatabricksStore, is_name, number, quoted
from reconcile.stores.databricks.versions import fits, seen_version, shown_version, told_version
from reconcile.stores.databricks.volume_parts import FILES, UPLOAD, Target, Uploads, part_bytes
from reconcile.stores.options import StoreOptions
from reconcile.stores.sealed import sealed
from reconcile.stores.tree_list import Page

WHOLE_BYTES: Final = 16 << 20
"""Up to here a file is read first and sent then."""

IN_PARTS_BYTES: Final = 64 << 20
"""From here a file is sent in parts."""

ONE_REQUEST_BYTES: Final = 5 << 30
FILE_BYTES: Final = 5 << 40
DIRECTORIES: Final = "/api/2.0/fs/directories"
CATALOG: Final = "/api/2.1/unity-catalog"

TRAITS: Final = Traits(
    tree=True,
    waits=True,
    write="create",
    delete="stat",
    keeps="dear",
    granule_ns=1_000_000_000,
    max_size_bytes=FILE_BYTES,
    max_name_bytes=NAME_BYTES,
)


class VolumeStore(DatabricksStore):
    """One directory of one volume."""

    few = 0

    @classmethod
    def open(cls, url: str, options: StoreOptions) -> Self:
        """The store at `volume:/Volumes/catalog/schema/volume/path`; asks no network yet."""
        return cls(volume_path(root_of(url, "volume")), options)

    def __init__(self, root: str, options: StoreOptions) -> None:
        super().__init__(root, options, url=canonical(root, options))
        if root.count("/") < 4 or not root.startswith("/Volumes/"):
            raise UsageError("is not inside a volume", op="open", path=root, hint="/Volumes/CATALOG/SCHEMA/VOLUME/…")
        self.traits = replace(TRAITS, mount=root)
        self._shelf: dict[str, Entry] = {}
        self._takes_parts = True  # until the workspace, or the storage behind it, says otherwise
        self._container = tuple(root.split("/")[2:5])

    # --- looking

    def look(self, directory: str, mark: str) -> Page:
        """A page of a directory, of up to a thousand entries."""
        query = {"page_size": "1000", **({"page_token": mark} if mark else {})}
        path = self.path(directory)
        said = self.client.call("GET", DIRECTORIES + quoted(path), op="list", key=directory, query=query)
        told = said.object("list", directory)
        contents, token = told.get("contents", []), told.get("next_page_token") or ""
        if not isinstance(contents, list) or not isinstance(token, str):
            raise DamagedError("the answer is no listing", op="list", path=directory)
        found, directories = [], []
        for item in contents:
            key = self._key_of(item, directory)
            if item.get("is_directory"):
                directories.append(key)
            else:
                found.append(_entry(key, item))
        return Page(found, directories, token)

    def _key_of(self, item: Any, directory: str) -> str:
        name = item.get("name") if isinstance(item, dict) else None
        if not is_name(name):
            raise DamagedError("the listing names something without a name", op="list", path=directory)
        return f"{directory}/{name}" if directory else name

    def find(self, key: str, op: str) -> Entry | None:
        """What is under a key, by its head."""
        try:
            reply = self.client.call("HEAD", self._file(key), op=op, key=key)
        except NotFoundError:
            return None
        return _described(key, reply.headers, op)

    def stat(self, key: str) -> Entry | None:
        """The entry under `key`, as its directory lists it: a head tells whole seconds only.

        The last such listing will do as long as the head does not speak against it.
        """
        seen = super().stat(key)
        if seen is None:
            return None
        shown = self._shelf.get(key)
        if shown is None or not fits(shown.version, seen.version):
            self._shelf = {entry.key: entry for entry in self.files(key.rpartition("/")[0])}
            shown = self._shelf.get(key)
        if shown is None:
            raise BusyError("is there, and its directory does not list it yet", op="stat", path=key)
        return shown

    def require_container(self) -> None:
        """Asks the catalog for the volume."""
        self._catalogued("volumes", self._container)

    # --- reading

    def read(self, key: str, *, version: Version | None = None, span: tuple[int, int] | None = None) -> Iterator[bytes]:
        """The content in chunks; of that very version, by size and time."""
        self.admit(key, "read")
        if span and span[0] >= span[1]:
            return
        headers = {"Range": f"bytes={span[0]}-{span[1] - 1}"} if span else {}
        told, chunks = self.client.stream(self._file(key), key=key, headers=headers)
        there = _described(key, told.headers, "read")
        if version and not fits(version, there.version):
            raise ChangedError("is another version", op="read", path=key)
        yield from chunks if told.status == 206 or not span else _only(chunks, span)

    # --- writing

    def write(self, key: str, body: Body, *, expect: Version) -> Entry:
        """Sends the body: read first where it is small, in one stream where it is not, in parts where it is large."""
        self.admit(key, "write", body.size_bytes)
        if expect != ABSENT or body.size_bytes > WHOLE_BYTES:  # else the service itself refuses, and nothing is lost
            self.check(key, expect, "write")
        overwrite = "false" if expect == ABSENT else "true"
        needs_parts = body.size_bytes > ONE_REQUEST_BYTES
        if needs_parts or (body.size_bytes >= IN_PARTS_BYTES and self._takes_parts):
            try:
                return self._write_in_parts(key, body, expect, overwrite)
            except NoPartsError as error:
                self._takes_parts = False
                if needs_parts:
                    message = f"larger than 5 GiB, which go in parts only: {error.message}"
                    raise RefusedError(message, op="write", path=key) from error
        replies = [self._put(key, body, overwrite)]
        return Entry(key, body.size_bytes, told_version(body.size_bytes, replies))

    def _put(self, key: str, body: Body, overwrite: str) -> Reply:
        data = whole(body, "write", key).data if body.size_bytes <= WHOLE_BYTES else None
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(body.size_bytes)}

        def once() -> Reply:
            content = data if data is not None else sealed(body, key)
            query = {"overwrite": overwrite}
            return self.client.call(
                "PUT", self._file(key), op="write", key=key, query=query, content=content, headers=headers
            )

        try:
            return once()
        except DirectoryThereError:
            self.make_way(key, "write")
            return once()

    def remove_directory(self, key: str) -> None:
        """Deletes an empty directory."""
        self.client.call("DELETE", DIRECTORIES + quoted(self.path(key)), op="write", key=key)

    def _write_in_parts(self, key: str, body: Body, expect: Version, overwrite: str) -> Entry:
        """The first look spared sending what would be refused at the end; the last one comes just before that end."""
        replies = self._uploads.send(
            self._target(key),
            parts(body, part_bytes(body.size_bytes), key),
            overwrite=overwrite,
            told=lambda mark: body.begun(mark) if body.begun is not None else None,
            look=lambda: None if expect == ABSENT else self._look_last(key, expect),
        )
        there = self.find(key, "write")
        if there is None or there.size != body.size_bytes:
            kept = "nothing" if there is None else f"{there.size:,} bytes"
            raise DamagedError(f"keeps {kept} of {body.size_bytes:,} bytes sent", op="write", path=key)
        return Entry(key, body.size_bytes, told_version(body.size_bytes, replies))

    def _look_last(self, key: str, expect: Version) -> None:
        self.check(key, expect, "write")

    def remove(self, key: str) -> None:
        """Deletes a file."""
        self.client.call("DELETE", self._file(key), op="delete", key=key)

    def discard(self, key: str, mark: str) -> None:
        """Aborts an upload; what was sent in one request leaves nothing behind. What is under way is told by nobody."""
        if mark.startswith(UPLOAD):
            self._uploads.abort(self._target(key), mark.removeprefix(UPLOAD))

    def leftovers(self) -> Iterator[Any]:
        """Nothing: the service tells of no uploads; its storage gives them up by itself."""
        return iter(())

    # --- the volume

    def ensure(self, *, dry: bool = False) -> Sequence[str]:
        """Makes the volume, and its schema, where they are missing; never a catalog."""
        catalog, schema, volume = self._container
        if self._is_there("volumes", (catalog, schema, volume)):
            return []
        made = []
        if not self._is_there("schemas", (catalog, schema)):
            self._require_catalog(catalog)
            made.append(f"schema {catalog}.{schema}")
            if not dry:
                self._make("schemas", {"catalog_name": catalog, "name": schema})
        made.append(f"volume {catalog}.{schema}.{volume}")
        if not dry:
            names = {"catalog_name": catalog, "schema_name": schema, "name": volume}
            self._make("volumes", {**names, "volume_type": "MANAGED"})
        return made

    def _require_catalog(self, catalog: str) -> None:
        if not self._is_there("catalogs", (catalog,)):
            hint = "is the name right? Catalogs are made by who governs the metastore"
            raise RefusedError(f"there is no catalog {catalog}", op="ensure", path=self.url, hint=hint)

    def _is_there(self, kind: str, names: Sequence[str]) -> bool:
        """Whether the catalog knows it; who may use a volume need not be told about it."""
        try:
            self._catalogued(kind, names)
        except NotFoundError:
            return False
        except DeniedError:
            if kind != "volumes":
                raise
        return True

    def _catalogued(self, kind: str, names: Sequence[str]) -> None:
        self.client.call("GET", f"{CATALOG}/{kind}/{quoted('.'.join(names))}", op="look", key=self.url)

    def _make(self, kind: str, said: Headers) -> None:
        names = [said[name] for name in ("catalog_name", "schema_name", "name") if name in said]
        try:
            self.client.call("POST", f"{CATALOG}/{kind}", op="ensure", key=self.url, said=said)
        except (ChangedError, BusyError):  # made meanwhile, or by a call whose answer was lost
            if not self._is_there(kind, names):
                raise

    def close(self) -> None:
        """Ends the threads and the connections."""
        if "_uploads" in self.__dict__:
            self._uploads.close()
        super().close()

    # --- inside

    @cached_property
    def _uploads(self) -> Uploads:
        return Uploads(self.client, lambda: self.ask)

    def _file(self, key: str) -> str:
        return FILES + quoted(self.path(key))

    def _target(self, key: str) -> Target:
        return Target(key, self.path(key), quoted(self.path(key)))


def _entry(key: str, item: dict[str, Any]) -> Entry:
    size, mtime_ms = number(item, "file_size"), number(item, "last_modified")
    return Entry(key, size, shown_version(size, mtime_ms), mtime_ms * 1_000_000)


def _described(key: str, told: Headers, op: str) -> Entry:
    """What the headers of an answer say of a file."""
    size, modified = (
        told.get("content-range", "").rpartition("/")[2] or told.get("content-length", ""),
        told.get("last-modified"),
    )
    if not size.isdigit() or not modified:
        raise DamagedError("the answer tells no size and time", op=op, path=key, hint="is there a proxy in between?")
    try:
        seconds = int(parsedate_to_datetime(modified).timestamp())
    except ValueError as error:
        raise DamagedError(f"the answer tells a time that is none: {modified}", op=op, path=key) from error
    return Entry(key, int(size), seen_version(int(size), seconds), seconds * 1_000_000_000)


def _only(chunks: Iterator[bytes], span: tuple[int, int]) -> Iterator[bytes]:
    """The bytes of a span, out of all of them."""
    at = 0
    for chunk in chunks:
        wanted = chunk[max(0, span[0] - at) : max(0, span[1] - at)]
        at += len(chunk)
        if wanted:
            yield wanted
