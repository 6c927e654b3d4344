"""The DBFS API 2.0. Where a fact has a source it stands in `README.md` beside this file."""

from __future__ import annotations

from base64 import b64decode, b64encode
import binascii
from dataclasses import dataclass
import threading
from typing import Any

from tests.fakes.databricks.errors import EXISTS, MISSING, RefusedError, invalid
from tests.fakes.databricks.limits import Habits, Limits
from tests.fakes.databricks.order import in_some_order
from tests.fakes.databricks.tree import Content, Directory, File, FileInTheWayError, Node, Parts, Tree
from tests.fakes.databricks.wire import Answer, Request, as_json, form


def parts_of(path: object) -> Parts:
    """The names in an absolute path. Raises RefusedError for another one."""
    if not isinstance(path, str) or not path.removeprefix("dbfs:").startswith("/"):
        raise invalid(f"Path must be absolute: {path}")
    parts = tuple(name for name in path.removeprefix("dbfs:").split("/") if name)
    if any(name in (".", "..") for name in parts) or "\0" in path:
        raise invalid(f"Invalid path: {path}")
    if parts[:1] == ("Volumes",):
        raise RefusedError(403, "PERMISSION_DENIED", "No operations allowed on this path")
    return parts


def spelled(parts: Parts) -> str:
    """The path of these names."""
    return "/" + "/".join(parts)


@dataclass
class _Handle:
    file: File
    used_ms: int


class Dbfs:
    """The service."""

    def __init__(self, tree: Tree, limits: Limits, habits: Habits, keep_bytes: int | None = None) -> None:
        self.tree, self._limits, self._habits, self._keep_bytes = tree, limits, habits, keep_bytes
        self._handles: dict[int, _Handle] = {}
        self._next_handle = 7_000_000_000_000_000
        self._lock = threading.Lock()

    def open_handles(self) -> int:
        """How many handles were created and not closed."""
        return len(self._handles)

    def create(self, request: Request) -> Answer:
        """POST dbfs/create."""
        said = request.body.json()
        parts = parts_of(said.get("path"))
        with self._lock:
            file = self._place(parts, self._content(), overwrite=said.get("overwrite") is True)
            self._next_handle += 1
            self._handles[self._next_handle] = _Handle(file, self.tree.now_ms())
            return as_json({"handle": self._next_handle})

    def add_block(self, request: Request) -> Answer:
        """POST dbfs/add-block."""
        said = request.body.json()
        data = self._decoded(said.get("data", ""))
        with self._lock:
            handle = self._handle(said.get("handle"))
            handle.file.content.append(data)
            handle.used_ms = handle.file.modified_ms = self.tree.now_ms()
        return as_json({})

    def close(self, request: Request) -> Answer:
        """POST dbfs/close."""
        number = request.body.json().get("handle")
        with self._lock:
            self._handle(number).file.modified_ms = self.tree.now_ms()
            del self._handles[int(str(number))]
        return as_json({})

    def put(self, request: Request) -> Answer:
        """POST dbfs/put, by JSON or as a form."""
        if request.headers.get("content-type", "").startswith("multipart/form-data"):
            said = form(request)
            data = said.get("contents", b"")
            path, overwrite = said.get("path", b"").decode(), said.get("overwrite", b"").lower() == b"true"
        else:
            told = request.body.json()
            data, path, overwrite = self._decoded(told.get("contents", "")), told.get("path"), told.get("overwrite")
        content = self._content()
        content.append(data)
        with self._lock:
            self._place(parts_of(path), content, overwrite=overwrite is True)
        return as_json({})

    def get_status(self, request: Request) -> Answer:
        """GET dbfs/get-status."""
        parts = parts_of(request.query.get("path"))
        return as_json(self._info(parts, self._existing(parts)))

    def list(self, request: Request) -> Answer:
        """GET dbfs/list: of a file, the file."""
        parts = parts_of(request.query.get("path"))
        node = self._existing(parts)
        if isinstance(node, File):
            return as_json({"files": [self._info(parts, node)]})
        children = self.tree.children(parts) or []
        most = self._limits.dbfs_list_entries
        if most is not None and len(children) > most:
            raise RefusedError(504, "DEADLINE_EXCEEDED", "The request timed out: the directory is too large")
        found = [self._info((*parts, name), child) for name, child in in_some_order(children, self._habits)]
        return as_json({"files": found} if found else {})

    def read(self, request: Request) -> Answer:
        """GET dbfs/read."""
        parts = parts_of(request.query.get("path"))
        offset, length = (
            self._number(request, name, default) for name, default in (("offset", 0), ("length", 1 << 19))
        )
        if length > self._limits.dbfs_read_bytes:
            raise RefusedError(400, "MAX_READ_SIZE_EXCEEDED", f"Read length {length} is over the limit of 1 MB")
        node = self._existing(parts)
        if isinstance(node, Directory):
            raise invalid(f"{spelled(parts)} is a directory")
        data = node.content.read(offset, length)
        return as_json({"bytes_read": len(data), "data": b64encode(data).decode()})

    def move(self, request: Request) -> Answer:
        """POST dbfs/move: never over anything, directories with all they hold."""
        said = request.body.json()
        source, target = parts_of(said.get("source_path")), parts_of(said.get("destination_path"))
        with self.tree.lock:
            self._existing(source)
            if self.tree.find(target) is not None:
                raise RefusedError(400, EXISTS, f"A file or directory already exists at {spelled(target)}")
            if target[: len(source)] == source:
                raise invalid("A directory cannot be moved below itself")
            if not isinstance(self.tree.find(target[:-1]), Directory):
                raise RefusedError(404, MISSING, f"No such directory: {spelled(target[:-1])}")
            self.tree.move(source, target)
        return as_json({})

    def mkdirs(self, request: Request) -> Answer:
        """POST dbfs/mkdirs."""
        try:
            self.tree.mkdirs(parts_of(request.body.json().get("path")))
        except FileInTheWayError as error:
            raise RefusedError(400, EXISTS, f"A file exists at {error}") from None
        return as_json({})

    def delete(self, request: Request) -> Answer:
        """POST dbfs/delete: what is not there is deleted already; a great number goes in several calls."""
        said = request.body.json()
        parts = parts_of(said.get("path"))
        if not parts:
            raise RefusedError(400, "IO_ERROR", "Cannot delete the root")
        with self.tree.lock:
            node = self.tree.find(parts)
            if isinstance(node, Directory) and node.children and said.get("recursive") is not True:
                raise RefusedError(400, "IO_ERROR", f"Directory {spelled(parts)} is not empty")
            if node is not None:
                self._delete(parts)
        return as_json({})

    def _delete(self, parts: Parts) -> None:
        most = self._limits.dbfs_delete_files
        files = [path for path, node in self.tree.walk(parts) if isinstance(node, File)] if most is not None else []
        if most is not None and len(files) > most:
            for path in files[:most]:
                self.tree.remove(path)
            raise RefusedError(503, "PARTIAL_DELETE", f"{most} files deleted. Please re-invoke the delete operation.")
        self.tree.remove(parts)

    def _place(self, parts: Parts, content: Content, *, overwrite: bool) -> File:
        with self.tree.lock:
            node = self.tree.find(parts)
            if node is not None and (isinstance(node, Directory) or not overwrite):
                raise RefusedError(400, EXISTS, f"A file or directory already exists at {spelled(parts)}")
            try:
                return self.tree.put(parts, content)
            except FileInTheWayError as error:
                raise RefusedError(400, "IO_ERROR", f"Parent path is not a directory: {error}") from None

    def _content(self) -> Content:
        return Content(keep_bytes=self._keep_bytes)

    def _existing(self, parts: Parts) -> Node:
        node = self.tree.find(parts)
        if node is None:
            raise RefusedError(404, MISSING, f"No file or directory exists on path {spelled(parts)}.")
        return node

    def _handle(self, number: object) -> _Handle:
        handle = self._handles.get(number) if isinstance(number, int) else None
        if handle is not None and self.tree.now_ms() - handle.used_ms > self._limits.dbfs_handle_idle_s * 1000:
            del self._handles[number]
            handle = None
        if handle is None:
            raise RefusedError(404, MISSING, f"No open handle: {number}")
        return handle

    def _decoded(self, data: object) -> bytes:
        try:
            decoded = b64decode(str(data), validate=True)
        except (ValueError, binascii.Error):
            raise invalid("data is not valid base64") from None
        if len(decoded) > self._limits.dbfs_block_bytes:
            raise RefusedError(400, "MAX_BLOCK_SIZE_EXCEEDED", "The block of data exceeds 1 MB")
        return decoded

    @staticmethod
    def _number(request: Request, name: str, default: int) -> int:
        said = request.query.get(name, str(default))
        if not said.isdigit():
            raise invalid(f"{name} must not be negative: {said}")
        return int(said)

    @staticmethod
    def _info(parts: Parts, node: Node) -> dict[str, Any]:
        size = node.content.size if isinstance(node, File) else 0
        is_dir = isinstance(node, Directory)
        return {"path": spelled(parts), "is_dir": is_dir, "file_size": size, "modification_time": node.modified_ms}
