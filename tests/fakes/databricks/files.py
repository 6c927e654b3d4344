"""The Files API 2.0 on volumes: files and directories. Uploads in parts and presigned URLs are in `uploads.py`."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from email.utils import parsedate_to_datetime
import json
import re
from typing import Any

from tests.fakes.databricks.catalog import Catalog
from tests.fakes.databricks.errors import RefusedError, invalid
from tests.fakes.databricks.limits import Habits, Limits
from tests.fakes.databricks.order import in_some_order, place
from tests.fakes.databricks.tree import Content, Directory, File, FileInTheWayError, Joined, Parts, Tree
from tests.fakes.databricks.wire import Answer, Request, as_json, http_date

FILES, DIRECTORIES = "/api/2.0/fs/files", "/api/2.0/fs/directories"
NAME_BYTES = 255


def missing_file(path: str) -> RefusedError:
    """No such file."""
    return RefusedError(404, "NOT_FOUND", f"The file being accessed is not found: {path}",
                        reason="FILES_API_FILE_NOT_FOUND")  # fmt: skip


def missing_directory(path: str) -> RefusedError:
    """No such directory."""
    return RefusedError(404, "NOT_FOUND", f"The directory being accessed is not found: {path}",
                        reason="FILES_API_DIRECTORY_IS_NOT_FOUND")  # fmt: skip


def _invalid_path(why: str) -> RefusedError:
    return RefusedError(400, "BAD_REQUEST", f"Invalid path: {why}", reason="FILES_API_INVALID_PATH")


def _refused(name: str) -> bool:
    """Whether no file or directory may have this name: longer than storage takes, a step, or not of this world."""
    try:
        return name in (".", "..") or "\0" in name or len(name.encode()) > NAME_BYTES
    except UnicodeEncodeError:
        return True


class Files:
    """The service."""

    def __init__(self, catalog: Catalog, limits: Limits, habits: Habits, keep_bytes: int | None = None) -> None:
        self._catalog, self._limits, self._habits, self._keep_bytes = catalog, limits, habits, keep_bytes

    def place(self, path: str) -> tuple[Tree, Parts]:
        """The volume's tree and the names below it. Raises RefusedError for no path, or one into no volume."""
        parts = tuple(name for name in path.split("/") if name)
        if parts[:1] != ("Volumes",):
            raise _invalid_path(f"unsupported first path component: {parts[0] if parts else ''}")
        if len(parts) < 4:
            raise _invalid_path("a path must begin with /Volumes/<catalog>/<schema>/<volume>")
        if any(_refused(name) for name in parts):
            raise _invalid_path(path)
        return self._catalog.volume(parts[1:4]).tree, parts[4:]

    # --- files

    def put(self, request: Request, path: str) -> Answer:
        """PUT files: the file is there when all of it has come, and not before."""
        tree, parts = self.place(path)
        self._check_size(request.body.length or 0)
        self.check_free(tree, parts, overwrite=self.overwrites(request))
        content = self.content()
        for chunk in request.body.chunks():
            content.append(chunk)
            self._check_size(content.size)
        self.publish(tree, parts, content, overwrite=self.overwrites(request))
        return Answer(204)

    def get(self, request: Request, path: str) -> Answer:
        """GET files, or a range of one."""
        return self.send(request, self.file(path))

    def head(self, _request: Request, path: str) -> Answer:
        """HEAD files."""
        file = self.file(path)
        return Answer(200, headers=self._described(file, file.content.size))

    def delete(self, _request: Request, path: str) -> Answer:
        """DELETE files."""
        tree, parts = self.place(path)
        with tree.lock:
            if not isinstance(tree.find(parts), File):
                raise missing_file(path)
            tree.remove(parts, prune=self._habits.implicit_directories_vanish)
        return Answer(204)

    # --- directories

    def put_directory(self, _request: Request, path: str) -> Answer:
        """PUT directories: and those above it; one that is there is fine."""
        tree, parts = self.place(path)
        try:
            tree.mkdirs(parts)
        except FileInTheWayError as error:
            raise RefusedError(409, "ALREADY_EXISTS", f"A file already exists at {error}",
                               reason="FILES_API_FILE_ALREADY_EXISTS") from None  # fmt: skip
        return Answer(204)

    def head_directory(self, _request: Request, path: str) -> Answer:
        """HEAD directories."""
        tree, parts = self.place(path)
        if self._children(tree, parts) is None:
            raise missing_directory(path)
        return Answer(200)

    def delete_directory(self, _request: Request, path: str) -> Answer:
        """DELETE directories: an empty one."""
        tree, parts = self.place(path)
        with tree.lock:
            node = tree.find(parts)
            if not isinstance(node, Directory):
                raise missing_directory(path)
            if node.children:
                raise RefusedError(400, "INVALID_PARAMETER_VALUE", "The directory being accessed is not empty.",
                                   reason="FILES_API_DIRECTORY_IS_NOT_EMPTY")  # fmt: skip
            if not parts:
                raise invalid("The root of a volume cannot be deleted")
            tree.remove(parts)
        return Answer(204)

    def list(self, request: Request, path: str) -> Answer:
        """GET directories, page by page."""
        tree, parts = self.place(path)
        children = self._children(tree, parts)
        if children is None:
            raise missing_directory(path)
        after = self._resume(request.query.get("page_token"), path)
        found = in_some_order(children, self._habits)
        if after is not None:
            found = [each for each in found if place(each[0], self._habits) > place(after, self._habits)]
        page = found[: self._page_size(request)]
        base = "/" + "/".join(name for name in path.split("/") if name)
        said: dict[str, Any] = {}
        if page:
            said["contents"] = [self._entry(f"{base}/{name}", name, node) for name, node in page]
        if len(page) < len(found):
            said["next_page_token"] = _token(path, page[-1][0])
        return as_json(said)

    def _children(self, tree: Tree, parts: Parts) -> list[tuple[str, File | Directory]] | None:
        children = tree.children(parts)
        return None if not parts and not children and self._habits.empty_roots_are_missing else children

    # --- what uploads need too

    def content(self) -> Content:
        """A new, empty content."""
        return Content(keep_bytes=self._keep_bytes)

    def file(self, path: str) -> File:
        """The file there. Raises RefusedError."""
        tree, parts = self.place(path)
        node = tree.find(parts)
        if not isinstance(node, File):
            raise missing_file(path)
        return node

    @staticmethod
    def overwrites(request: Request) -> bool:
        """Whether a file that is there may be replaced: unless the request says no."""
        return request.query.get("overwrite", "true").lower() != "false"

    def check_free(self, tree: Tree, parts: Parts, *, overwrite: bool) -> None:
        """Raises RefusedError if no file may come there."""
        node = tree.find(parts)
        if isinstance(node, Directory):
            raise RefusedError(409, "ALREADY_EXISTS", "A directory already exists at this path.",
                               reason="FILES_API_DIRECTORY_ALREADY_EXISTS")  # fmt: skip
        if node is not None and not overwrite:
            raise RefusedError(409, "ALREADY_EXISTS", "The file being created already exists.",
                               reason="FILES_API_FILE_ALREADY_EXISTS")  # fmt: skip

    def publish(self, tree: Tree, parts: Parts, content: Content | Joined, *, overwrite: bool) -> None:
        """Puts a file there, all at once. Raises RefusedError."""
        with tree.lock:
            self.check_free(tree, parts, overwrite=overwrite)
            try:
                tree.put(parts, content)
            except FileInTheWayError as error:
                raise RefusedError(409, "ALREADY_EXISTS", f"A file already exists at {error}",
                                   reason="FILES_API_FILE_ALREADY_EXISTS") from None  # fmt: skip

    def send(self, request: Request, file: File) -> Answer:
        """The bytes of a file, or the range that was asked for."""
        since = request.headers.get("if-unmodified-since")
        if since and file.modified_ms // 1000 > parsedate_to_datetime(since).timestamp():
            raise RefusedError(412, "FAILED_PRECONDITION", "The file was modified")
        size = file.content.size
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("range", ""))
        if wanted is None:
            return Answer(200, file.content, self._described(file, size))
        first, last = int(wanted[1]), min(int(wanted[2] or size - 1), size - 1)
        if first >= size:
            raise RefusedError(416, "INVALID_PARAMETER_VALUE", "The range is not satisfiable")
        headers = self._described(file, last + 1 - first) | {"content-range": f"bytes {first}-{last}/{size}"}
        return Answer(206, file.content, headers, span=(first, last + 1))

    @staticmethod
    def _described(file: File, length: int) -> dict[str, str]:
        return {
            "content-length": str(length),
            "content-type": "application/octet-stream",
            "last-modified": http_date(file.modified_ms // 1000),
            "accept-ranges": "bytes",
        }

    @staticmethod
    def _entry(path: str, name: str, node: File | Directory) -> dict[str, Any]:
        if isinstance(node, Directory):
            return {"path": path, "name": name, "is_directory": True}
        size, modified = node.content.size, node.modified_ms
        return {"path": path, "name": name, "is_directory": False, "file_size": size, "last_modified": modified}

    def _check_size(self, size: int) -> None:
        if size > self._limits.files_put_bytes:
            raise RefusedError(413, "REQUEST_ENTITY_TOO_LARGE", "The request body is over 5 GiB")

    def _page_size(self, request: Request) -> int:
        said = request.query.get("page_size") or "0"
        if not said.isdigit():
            raise invalid(f"page_size must not be negative: {said}")
        return min(int(said) or self._limits.files_page_entries, self._limits.files_page_entries)

    @staticmethod
    def _resume(token: str | None, path: str) -> str | None:
        if not token:
            return None
        try:
            where, after = json.loads(urlsafe_b64decode(token))
        except ValueError:
            where, after = None, None
        if where != path or not isinstance(after, str):
            raise invalid("Invalid page token")
        return after


def _token(path: str, after: str) -> str:
    return urlsafe_b64encode(json.dumps([path, after]).encode()).decode()
