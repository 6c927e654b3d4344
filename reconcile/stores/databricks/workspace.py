"""Files and notebooks of a Databricks workspace.

A create is bound to nothing being there by the service itself, except that a file `a.py` and a notebook `a` do not see
each other: so there, and before every update and delete, is a look. Notebooks are listed without a size; to know what
one is, it is exported, unless it still is as it is remembered. What the service gives back of a notebook need not be
what it was given, to the byte: so its version also holds a mark of its text, and that is what is compared.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
import binascii
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from hashlib import sha256
from io import BytesIO
import re
from typing import Any, Final, Self

from msgspec import Struct
from msgspec.structs import replace

from reconcile.core.entry import ABSENT, ANY, Digest, Entry, Kind, Problem, Version
from reconcile.core.errors import BusyError, ChangedError, DamagedError, NotFoundError, StoreError
from reconcile.core.record import Record
from reconcile.ports import Body, Hashes, Traits
from reconcile.stores.bodies import whole
from reconcile.stores.databricks.client import Reply
from reconcile.stores.databricks.notebooks import (
    HEAD_BYTES,
    JUPYTER,
    SUFFIXES,
    Form,
    form_of,
    mark_of,
    split,
    why_no_notebook,
)
from reconcile.stores.databricks.place import canonical, root_of
from reconcile.stores.databricks.store import NAME_BYTES, DatabricksStore, is_name, number
from reconcile.stores.databricks.versions import shown_version
from reconcile.stores.options import StoreOptions
from reconcile.stores.tree_list import Page

FILE_BYTES: Final = 10 << 20
"""What may be imported and exported in one call."""

API: Final = "/api/2.0/workspace"
_DIRECTORIES: Final = ("DIRECTORY", "REPO")
_MARKED: Final = re.compile(r"(0\.[0-9]+\.[0-9]+)\.[0-9a-f]{16}")
"""The version of a notebook: what the service tells of it, and the mark of its text."""

TRAITS: Final = Traits(
    tree=True,
    waits=True,
    write="create",
    delete="stat",
    keeps="dear",
    granule_ns=1_000_000,
    max_size_bytes=FILE_BYTES,
    max_name_bytes=NAME_BYTES,
)


class _Object(Struct, frozen=True):
    """One object of the service: its key without what we add to it, its kind, and what is told of it."""

    name: str
    kind: str
    told: dict[str, Any]

    @property
    def version(self) -> Version:
        """By number and time, and by size where one is told."""
        told = self.told
        return shown_version(number(told, "size"), number(told, "modified_at"), str(number(told, "object_id")))

    @property
    def mtime_ns(self) -> int:
        """When it was changed."""
        return number(self.told, "modified_at") * 1_000_000


class _Notebook(Struct, frozen=True):
    """What only an export tells of a notebook, or a record of it: suffix, size and version.

    `digest` is that of what was exported, None where nothing was; `sent` that of what it was made from, if by us.
    """

    name: str
    suffix: str
    size: int
    version: Version
    digest: Digest | None = None
    sent: Digest | None = None

    def is_that(self, one: _Object) -> bool:
        """Whether this is what an object of the same number and time must be."""
        return self.name == one.name and self.suffix in (JUPYTER, SUFFIXES.get(str(one.told.get("language", ""))))


class WorkspaceStore(DatabricksStore):
    """One directory of one workspace."""

    @classmethod
    def open(cls, url: str, options: StoreOptions) -> Self:
        """The store at `workspace:/Workspace/path`; asks no network yet."""
        return cls(root_of(url, "workspace"), options)

    def __init__(self, root: str, options: StoreOptions) -> None:
        super().__init__(root, options, url=canonical(root, options))
        self.traits = replace(TRAITS, mount=root)
        self._notebooks: dict[Version, _Notebook] = {}
        self._sent: dict[tuple[str, str], tuple[int, Digest]] = {}  # by name and mark: an answer may be lost

    # --- looking

    def look(self, directory: str, mark: str) -> Page:  # noqa: ARG002 - a directory is one answer
        """A whole directory; a notebook that is not remembered is exported, to know what it is."""
        said = self._get("list", self.path(directory), op="list", key=directory).object("list", directory)
        objects = said.get("objects", [])
        if not isinstance(objects, list):
            raise DamagedError("the answer is no listing", op="list", path=directory)
        known = [self._object(item, directory) for item in objects]
        directories = [one.name for one in known if one.kind in _DIRECTORIES]
        found = [*self._threads.map(self._shown, (one for one in known if one.kind not in _DIRECTORIES))]
        return Page(_told_apart(found), directories)

    def _object(self, item: Any, directory: str) -> _Object:
        path = item.get("path") if isinstance(item, dict) else None
        name = path.rpartition("/")[2] if isinstance(path, str) else ""
        if not is_name(name) or _bare(str(path)).rpartition("/")[0] != _bare(self.path(directory)).rstrip("/"):
            raise DamagedError("is no directory, or its listing names something else", op="list", path=directory)
        return _Object(f"{directory}/{name}" if directory else name, str(item.get("object_type", "")), item)

    def _shown(self, one: _Object) -> Entry | Problem:
        if one.kind == "FILE":
            return Entry(one.name, number(one.told, "size"), one.version, one.mtime_ns)
        if one.kind != "NOTEBOOK":
            return Entry(one.name, 0, one.version, one.mtime_ns, kind=Kind.SPECIAL)
        try:
            return self._notebook(one)
        except StoreError as error:
            return Problem(one.name, error.message, hint=error.hint)

    def _notebook(self, one: _Object) -> Entry:
        found = self._looked_into(one)
        if not found.suffix:
            return Entry(one.name, 0, one.version, one.mtime_ns, kind=Kind.SPECIAL)
        return Entry(f"{one.name}.{found.suffix}", found.size, found.version, one.mtime_ns, digest=found.digest)

    def _looked_into(self, one: _Object) -> _Notebook:
        """What a notebook is at its version; it is exported once, or never."""
        known = self._notebooks.get(one.version)
        if known is None or not known.is_that(one):
            suffix, data = self._export(one)
            sent = self._sent.get((one.name, mark_of(data, suffix)))
            size, digest = sent or (len(data), Digest(sha256(data).digest()))
            version = _marked(one.version, data, suffix)
            known = _Notebook(one.name, suffix, size, version, digest, sent=sent and digest)
            self._notebooks[one.version] = known
        return known

    def recall(self, records: Iterable[Record]) -> None:
        """Notebooks that still are as they were recorded need no export to be listed."""
        for record in records:
            (name, suffix), sent = split(record.key), None if record.accepted else record.digest
            if suffix and _MARKED.fullmatch(record.version):
                known = _Notebook(name, suffix, record.size, record.version, sent=sent)
                self._notebooks.setdefault(_bare_version(record.version), known)

    def find(self, key: str, op: str) -> Entry | None:
        """What is under a key: the file of that name, or the notebook that it would be."""
        one = self._find(key, op)
        if one is None or one.kind == "NOTEBOOK":
            return self._notebook(one) if one else None
        if one.kind in _DIRECTORIES:
            return Entry(key, 0, ABSENT, kind=Kind.DIRECTORY)
        entry = self._shown(one)
        assert isinstance(entry, Entry), "only notebooks are exported"
        return entry

    def _find(self, key: str, op: str) -> _Object | None:
        there = self._status(key, op)
        if there is not None and there.kind != "NOTEBOOK":
            return there
        stem, suffix = split(key)
        one = self._status(stem, op) if suffix else None
        if one is None or one.kind != "NOTEBOOK" or self._looked_into(one).suffix != suffix:
            return None
        return one

    def _status(self, key: str, op: str) -> _Object | None:
        try:
            said = self._get("get-status", self.path(key), op=op, key=key).object(op, key)
        except NotFoundError:
            return None
        return _Object(key, str(said.get("object_type", "")), said)

    def prove(self, entry: Entry, hashes: Hashes) -> bool | None:
        """By the digest of a notebook that was exported to be listed; of all else only reading tells."""
        return None if entry.digest is None else entry.digest == hashes.sha256

    def made_from(self, entry: Entry) -> Digest:
        """The digest of what is there; of a notebook that has the text that was sent, of what was sent."""
        data = b"".join(self.read(entry.key, version=entry.version))
        version = _bare_version(entry.version)
        known = self._notebooks.get(version)
        if known is not None and known.sent is not None and _marked(version, data, known.suffix) == entry.version:
            return known.sent
        return Digest(sha256(data).digest())

    def is_same(self, expect: Version, there: Version) -> bool:
        """By number and time: the mark says what a text is, not who wrote it."""
        return _bare_version(expect) == _bare_version(there)

    # --- names

    def family(self, key: str) -> str:
        """`a.py`, `a.sql` and `a` might all be the notebook `a`."""
        return split(key)[0]

    def name_of(self, key: str, head: bytes) -> str:
        """A notebook has no suffix."""
        return form_of(key, head).name

    def why_not(self, key: str, read: Callable[[], bytes]) -> str | None:
        """What is called a Jupyter notebook must be one."""
        return why_no_notebook(read()) if split(key)[1] == JUPYTER else None

    def stands_as(self, entry: Entry) -> str:
        """A notebook stands without its suffix."""
        return split(entry.key)[0] if _is_notebook(entry) else entry.key

    def is_settled(self, version: Version) -> bool:
        """A version here is a number and a time of the service's own database, read after what it stands for."""
        return "@" not in version

    # --- reading

    def read(self, key: str, *, version: Version | None = None, span: tuple[int, int] | None = None) -> Iterator[bytes]:
        """The content, of that version before and after: an export itself is bound to nothing."""
        self.admit(key, "read")
        there = self._find(key, "read")
        if there is None or there.kind not in ("FILE", "NOTEBOOK"):
            raise NotFoundError("does not exist", op="read", path=key)
        if version not in (None, ANY) and not self.is_same(version, there.version):
            raise ChangedError("is another version", op="read", path=key)
        data = self._export(there)[1]
        after = self._status(there.name, "read")
        if after is None or after.version != there.version:
            raise ChangedError("was changed while it was read", op="read", path=key)
        yield data[slice(*span)] if span else data

    def _export(self, one: _Object) -> tuple[str, bytes]:
        """Suffix ("" for a language that is not known) and bytes of an object."""
        jupyter = one.told.get("repos_export_format") == "JUPYTER"
        query = {"format": "JUPYTER" if jupyter else "SOURCE"} if one.kind == "NOTEBOOK" else {"format": "AUTO"}
        said = self.ask(lambda: self._get("export", self.path(one.name), op="read", key=one.name, query=query)).object(
            "read", one.name
        )
        try:
            data = b64decode(str(said.get("content", "")), validate=True)
        except (ValueError, binascii.Error) as error:
            raise DamagedError("the answer is no base64", op="read", path=one.name) from error
        usual = JUPYTER if jupyter else SUFFIXES.get(str(one.told.get("language", "")), "")
        suffix = JUPYTER if said.get("file_type") == JUPYTER else usual
        return suffix, data

    # --- writing

    def write(self, key: str, body: Body, *, expect: Version) -> Entry:
        """Imports a file as it is, or as the notebook it is; makes its directories."""
        self.admit(key, "write", body.size_bytes)
        read = whole(body, "write", key)
        data, form = read.data, form_of(key, read.data[:HEAD_BYTES])
        old = self._check(key, expect) if expect != ABSENT or split(key)[1] else None
        becomes_another = old is not None and (old.kind == "NOTEBOOK") != form.is_notebook
        if form.is_notebook:
            self._sent[form.name, mark_of(data, split(key)[1])] = (len(data), read.digest)
        self._import(key, data, form, overwrite=expect != ABSENT and not becomes_another)
        if old is not None and becomes_another:
            self._end(old.name)
        made = self._status(form.name, "write")
        if made is None or (not form.is_notebook and number(made.told, "size") != body.size_bytes):
            raise ChangedError("was changed as soon as it was written", op="write", path=key)
        if old is not None and made.version == old.version:
            raise BusyError("still shows what was there before", op="write", path=key)
        if not form.is_notebook:
            return Entry(key, body.size_bytes, made.version, made.mtime_ns)
        suffix = split(key)[1]
        version = _marked(made.version, data, suffix)
        self._notebooks[made.version] = _Notebook(form.name, suffix, body.size_bytes, version, sent=read.digest)
        return Entry(key, body.size_bytes, version, made.mtime_ns)

    def copy(self, entry: Entry, key: str, *, expect: Version) -> Entry:
        """What the service gives, written anew: of a notebook that need not be as long as what it was made from."""
        data = b"".join(self.read(entry.key, version=entry.version))
        return self.write(key, Body(size_bytes=len(data), open=lambda: BytesIO(data)), expect=expect)

    def _check(self, key: str, expect: Version) -> _Object | None:
        """A look just before a write: what is there, if it is what was expected."""
        there = self._find(key, "write")
        if expect != ANY and not self.is_same(expect, there.version if there is not None else ABSENT):
            raise ChangedError("is not what was expected there", op="write", path=key)
        return there

    def _import(self, key: str, data: bytes, form: Form, *, overwrite: bool) -> None:
        said = {
            "path": self.path(form.name),
            "content": b64encode(data).decode(),
            "format": form.format,
            "overwrite": overwrite,
            **({"language": form.language} if form.language else {}),
        }

        def once() -> None:
            self.client.call("POST", f"{API}/import", op="write", key=key, said=said)

        try:
            once()
        except NotFoundError:
            above = self.path(form.name).rpartition("/")[0]
            self.client.call("POST", f"{API}/mkdirs", op="write", key=key, said={"path": above})
            once()
        except ChangedError:
            there = self._status(form.name, "write")
            if there is None or there.kind not in _DIRECTORIES:
                raise
            self.make_way(form.name, "write")
            once()

    def remove(self, key: str) -> None:
        """Deletes the file, or the notebook, of this key."""
        there = self._find(key, "delete")
        if there is not None and there.kind not in _DIRECTORIES:
            self._delete(there.name, "delete")

    def _end(self, name: str) -> None:
        """Deletes what was replaced under another name. Tried again by itself: the import before it is done."""
        try:
            with suppress(NotFoundError):  # an answer was lost
                self.ask(lambda: self._delete(name, "write"))
        except StoreError as error:
            error.unsure = True  # both stand there: the intent stays open, and the next run finishes
            raise

    def finish(self, key: str, was: Version, hashes: Hashes) -> None:
        """A file that became a notebook, or was one: the old one goes, once the new one is proven to be ours."""
        stem, suffix = split(key)
        file, notebook = self._status(key, "delete"), self._status(stem, "delete") if suffix else None
        if file is None or notebook is None or (file.kind, notebook.kind) != ("FILE", "NOTEBOOK"):
            return
        old, new = (file, notebook) if self.is_same(was, file.version) else (notebook, file)
        if self.is_same(was, old.version) and sha256(self._export(new)[1]).digest() == hashes.sha256:
            self._delete(old.name, "delete")

    def remove_directory(self, key: str) -> None:
        """Deletes an empty directory."""
        self._delete(key, "write")

    def _delete(self, name: str, op: str) -> None:
        said = {"path": self.path(name), "recursive": False}
        self.client.call("POST", f"{API}/delete", op=op, key=name, said=said)

    def _get(self, what: str, path: str, *, op: str, key: str, query: dict[str, str] | None = None) -> Reply:
        asked = {"path": path, **(query or {"return_export_info": "true"})}
        return self.client.call("GET", f"{API}/{what}", op=op, key=key, query=asked)


def _is_notebook(entry: Entry) -> bool:
    """Whether an entry of the workspace is one."""
    return _MARKED.fullmatch(entry.version) is not None


def _marked(version: Version, data: bytes, suffix: str) -> Version:
    """The version of a notebook with this text."""
    return Version(f"{version}.{mark_of(data, suffix)}")


def _bare_version(version: Version) -> Version:
    """A version without the mark, as the service tells it."""
    marked = _MARKED.fullmatch(version)
    return Version(marked[1]) if marked else version


def _bare(path: str) -> str:
    """A path as the service tells it: without the name of the whole."""
    return path.removeprefix("/Workspace") or "/"


def _told_apart(found: list[Entry | Problem]) -> list[Entry | Problem]:
    """A file `a.py` beside a notebook `a` that would be the same file: which of them is meant, nobody can tell."""
    keys = [item.key for item in found]
    twice = {key for key in keys if keys.count(key) > 1} if len(set(keys)) < len(keys) else set()
    reason = "a file and a notebook there would be the same file here"
    return [item for item in found if item.key not in twice] + [
        Problem(key, reason, hint="rename or delete one of them there") for key in sorted(twice)
    ]
