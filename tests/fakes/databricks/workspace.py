"""The Workspace API 2.0: notebooks, files and directories."""

from __future__ import annotations

from base64 import b64decode, b64encode
import binascii
from typing import Any

from tests.fakes.databricks import notebooks
from tests.fakes.databricks.errors import EXISTS, INVALID, MISSING, RefusedError, invalid
from tests.fakes.databricks.limits import Habits, Limits
from tests.fakes.databricks.order import in_some_order
from tests.fakes.databricks.tree import Content, Directory, File, FileInTheWayError, Node, Parts, Tree
from tests.fakes.databricks.wire import Answer, Request, as_json, form

IMPORT_FILE = "/api/2.0/workspace-files/import-file/"
_TOO_LARGE = "MAX_NOTEBOOK_SIZE_EXCEEDED"


def parts_of(path: object) -> Parts:
    """The names in an absolute path; `/Workspace` in front means the same. Raises RefusedError for another one."""
    if not isinstance(path, str) or not path.startswith("/"):
        raise invalid(f"Path ({path}) doesn't start with '/'")
    parts = tuple(name for name in path.split("/") if name)
    if any(name in (".", "..") for name in parts) or "\0" in path:
        raise invalid(f"Path ({path}) is not valid")
    return parts[1:] if parts[:1] == ("Workspace",) else parts


def spelled(parts: Parts) -> str:
    """The path of these names."""
    return "/" + "/".join(parts)


class Workspace:
    """The service."""

    def __init__(self, tree: Tree, limits: Limits, habits: Habits) -> None:
        self.tree, self._limits, self._habits = tree, limits, habits

    def import_(self, request: Request) -> Answer:
        """POST workspace/import, by JSON or as a form."""
        if request.headers.get("content-type", "").startswith("multipart/form-data"):
            fields = form(request)
            said: dict[str, Any] = {
                name: value.decode("latin-1") for name, value in fields.items() if name != "content"
            }
            data = fields.get("content", b"")
            said["path"] = fields.get("path", b"").decode("utf-8", "surrogateescape")
            said["overwrite"] = fields.get("overwrite") == b"true"
        else:
            said = request.body.json()
            data = self._decoded(said.get("content", ""))
        if len(data) > self._limits.workspace_import_bytes:
            most = self._limits.workspace_import_bytes
            raise RefusedError(
                400, _TOO_LARGE, f"File size imported is ({len(data)} bytes), exceeded max size ({most} bytes)"
            )
        parts, overwrite = parts_of(said.get("path")), said.get("overwrite") is True
        self._keep(*self._shaped(parts, data, said), overwrite=overwrite)
        return as_json({})

    def import_file(self, request: Request) -> Answer:
        """POST workspace-files/import-file: as the command line tool sends files, beyond the limit of import."""
        parts = parts_of("/" + request.path.removeprefix(IMPORT_FILE))
        data = request.body.read()
        if len(data) > self._limits.workspace_file_bytes:
            raise RefusedError(400, _TOO_LARGE, f"File size imported is ({len(data)} bytes)")
        overwrite = request.query.get("overwrite") == "true"
        if isinstance(self.tree.find(parts), File) and not overwrite:
            raise RefusedError(409, "ALREADY_EXISTS", f"Node with name {spelled(parts)} already exists.")
        self._keep(*self._shaped(parts, data, {"format": "AUTO"}), overwrite=overwrite)
        return as_json({})

    def export(self, request: Request) -> Answer:
        """GET workspace/export: bytes with direct_download, else base64 in JSON."""
        parts = parts_of(request.query.get("path"))
        node = self._existing(parts)
        if isinstance(node, Directory):
            raise RefusedError(501, "NOT_IMPLEMENTED", "This emulator exports no directories")
        data, suffix = self._exported(node, request.query.get("format") or "SOURCE")
        if len(data) > self._limits.workspace_import_bytes:
            raise RefusedError(
                400, _TOO_LARGE, f"The exported data is over {self._limits.workspace_import_bytes} bytes"
            )
        if request.query.get("direct_download") == "true":
            return Answer(200, data, {"content-type": "application/octet-stream"})
        return as_json({"content": b64encode(data).decode(), "file_type": suffix})

    def get_status(self, request: Request) -> Answer:
        """GET workspace/get-status."""
        parts = parts_of(request.query.get("path"))
        return as_json(self._info(parts, self._existing(parts), request))

    def list(self, request: Request) -> Answer:
        """GET workspace/list: of an object that is no directory, the object."""
        parts = parts_of(request.query.get("path"))
        node = self._existing(parts)
        if isinstance(node, File):
            return as_json({"objects": [self._info(parts, node, request)]})
        children = in_some_order(self.tree.children(parts) or [], self._habits)
        found = [self._info((*parts, name), child, request) for name, child in children]
        return as_json({"objects": found} if found else {})

    def mkdirs(self, request: Request) -> Answer:
        """POST workspace/mkdirs."""
        try:
            self.tree.mkdirs(parts_of(request.body.json().get("path")))
        except FileInTheWayError as error:
            raise RefusedError(400, EXISTS, f"Path ({error}) already exists and is not a directory") from None
        return as_json({})

    def delete(self, request: Request) -> Answer:
        """POST workspace/delete."""
        said = request.body.json()
        parts = parts_of(said.get("path"))
        with self.tree.lock:
            node = self._existing(parts)
            if not parts:
                raise invalid("The root cannot be deleted")
            if isinstance(node, Directory) and node.children and said.get("recursive") is not True:
                raise RefusedError(400, "DIRECTORY_NOT_EMPTY", f"Folder ({spelled(parts)}) is not empty")
            self.tree.remove(parts)
        return as_json({})

    def _shaped(self, parts: Parts, data: bytes, said: dict[str, Any]) -> tuple[Parts, bytes, str | None]:
        """Path, bytes and language of what an import makes; no language for a file."""
        kind, language = said.get("format") or "SOURCE", said.get("language")
        if kind == "RAW":
            return parts, data, None
        if kind == "AUTO":
            found = notebooks.detect(parts[-1] if parts else "", data)
            return (*parts[:-1], found[0]) if found else parts, data, found[1] if found else None
        if kind == "JUPYTER":
            if not notebooks.is_jupyter(data):
                raise invalid("The notebook is not valid JSON of a Jupyter notebook")
            return parts, data, "PYTHON"
        if kind != "SOURCE":
            raise RefusedError(501, "NOT_IMPLEMENTED", f"This emulator imports no {kind}")
        if language not in notebooks.HEADERS:
            raise invalid("The language must be set to import a single file as SOURCE")
        return parts, notebooks.with_header(data, language), language

    def _keep(self, parts: Parts, data: bytes, language: str | None, *, overwrite: bool) -> None:
        with self.tree.lock:
            node = self.tree.find(parts)
            if node is not None and not overwrite:
                raise RefusedError(
                    400, EXISTS, f"{spelled(parts)} already exists. Please pass overwrite=true to overwrite it."
                )
            if node is not None and _kind(node) != (asked := "FILE" if language is None else "NOTEBOOK"):
                message = f"Cannot overwrite the asset at {spelled(parts)} due to type mismatch"
                raise RefusedError(400, INVALID, f"{message} (asked: {asked}, actual: {_kind(node)}).",
                                   reason="WORKSPACE_OBJECT_TYPE_MISMATCH")  # fmt: skip
            if not parts or not isinstance(self.tree.find(parts[:-1]), Directory):
                raise RefusedError(404, MISSING, f"The parent folder ({spelled(parts[:-1])}) does not exist.")
            if language is not None and self._habits.notebooks_rewritten and not notebooks.is_jupyter(data):
                data = data.replace(b"\r\n", b"\n").rstrip(b"\n")
            self.tree.put(parts, Content(data), language=language)

    @staticmethod
    def _exported(file: File, kind: str) -> tuple[bytes, str]:
        data = file.content.read()
        if file.language is None:
            return data, ""
        jupyter = notebooks.is_jupyter(data)
        if kind == "JUPYTER" and not jupyter:
            return notebooks.as_jupyter(data, file.language), "ipynb"
        return data, "ipynb" if jupyter else notebooks.SUFFIXES[file.language].lstrip(".")

    def _existing(self, parts: Parts) -> Node:
        node = self.tree.find(parts)
        if node is None:
            raise RefusedError(404, MISSING, f"Path ({spelled(parts)}) doesn't exist.")
        return node

    @staticmethod
    def _decoded(data: object) -> bytes:
        try:
            return b64decode(str(data), validate=True)
        except (ValueError, binascii.Error):
            raise invalid("content is not valid base64") from None

    @staticmethod
    def _info(parts: Parts, node: Node, request: Request) -> dict[str, Any]:
        info: dict[str, Any] = {"path": spelled(parts), "object_type": _kind(node), "object_id": node.number}
        info["resource_id"] = str(node.number)
        if isinstance(node, File):
            info |= {"created_at": node.created_ms, "modified_at": node.modified_ms}
            info |= {"size": node.content.size} if node.language is None else {"language": node.language}
            if node.language is not None and request.query.get("return_export_info") == "true":
                info["repos_export_format"] = "JUPYTER" if notebooks.is_jupyter(node.content.read()) else "SOURCE"
        return info


def _kind(node: Node) -> str:
    if isinstance(node, Directory):
        return "DIRECTORY"
    return "FILE" if node.language is None else "NOTEBOOK"
