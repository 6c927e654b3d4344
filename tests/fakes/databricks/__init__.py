"""A Databricks workspace in this process that the real SDK talks to, and that breaks when and how it is told to.

::

    with Emulator() as emulator:
        emulator.catalog.add("main", "default", "landing")      # a volume
        emulator.put("/Volumes/main/default/landing/a.csv", b"1")
        client = WorkspaceClient(config=emulator.config())
        ...
        assert emulator.log.counts()["PUT /api/2.0/fs/files"] == 1

`README.md` beside this file says which facts it follows and where each comes from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Self

from tests.fakes.databricks import dbfs, workspace
from tests.fakes.databricks.catalog import Catalog
from tests.fakes.databricks.dbfs import Dbfs
from tests.fakes.databricks.faults import Faults
from tests.fakes.databricks.files import Files
from tests.fakes.databricks.identity import USER, Identity
from tests.fakes.databricks.limits import Habits, Limits
from tests.fakes.databricks.log import Log
from tests.fakes.databricks.server import Server
from tests.fakes.databricks.tree import Clock, Content, Directory, File, Parts, Tree, wall_clock
from tests.fakes.databricks.uploads import Uploads
from tests.fakes.databricks.wire import Answer, Request
from tests.fakes.databricks.workspace import Workspace

__all__ = ["Emulator", "Habits", "Limits"]


class Emulator:
    """The workspace. Paths outside of the API: `dbfs:/…`, `/Volumes/…`, `/Workspace/…`.

    `latency_s` is added to every request; `clock` gives the times of changes; of contents over `keep_bytes` only size
    and digest are kept. `after` hears of every request when its work is done.
    """

    def __init__(
        self, *, latency_s: float = 0, clock: Clock = wall_clock, keep_bytes: int | None = None, port: int = 0,
        limits: Limits | None = None, habits: Habits | None = None,
    ) -> None:  # fmt: skip
        self.latency_s, self.clock = latency_s, clock
        self.after: Callable[[Request, Answer], None] | None = None
        self.limits, self.habits = limits or Limits(), habits or Habits()
        self.log, self.faults = Log(), Faults()
        self.identity = Identity(lambda: self.url)
        self.catalog = Catalog(clock, USER)
        self.dbfs = Dbfs(Tree(clock), self.limits, self.habits, keep_bytes)
        self.files = Files(self.catalog, self.limits, self.habits, keep_bytes)
        self.uploads = Uploads(self.files, self.limits, self.habits, lambda: self.url)
        self.workspace = Workspace(Tree(clock), self.limits, self.habits)
        self.workspace.tree.mkdirs(("Users", USER))
        self.workspace.tree.mkdirs(("Shared",))
        self._server = Server(self, port)

    def __enter__(self) -> Self:
        self._server.begin()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Ends it as if its machine had gone: connections break, and no new ones are taken."""
        self._server.end()
        self._server.cut()

    def serve(self) -> None:
        """Serves in this thread, until it is interrupted."""
        self._server.serve_forever()

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def token(self) -> str:
        """The personal token that it takes."""
        return self.identity.token

    def config(self, **how: Any) -> Any:
        """A `Config` of the SDK that reaches it, by the token unless told otherwise."""
        from databricks.sdk.core import Config

        signed = {} if "client_id" in how else {"token": self.token}
        return Config(**{"host": self.url, "retry_timeout_seconds": 5, "http_timeout_seconds": 10} | signed | how)

    # --- behind everyone's back

    def put(self, path: str, data: bytes = b"1", *, language: str | None = None) -> File:
        """Puts a file there, and makes the directories and the volume that it needs. `language` makes a notebook."""
        if path.startswith("/Volumes/"):
            self.catalog.add(*path.split("/")[2:5])
        tree, parts = self._place(path)
        content = Content()
        content.append(data)
        return tree.put(parts, content, language=language)

    def read(self, path: str) -> bytes:
        """The bytes of a file. Raises KeyError."""
        return self.file(path).content.read()

    def file(self, path: str) -> File:
        """The file there. Raises KeyError."""
        tree, parts = self._place(path)
        node = tree.find(parts)
        if not isinstance(node, File):
            raise KeyError(path)
        return node

    def kept(self) -> list[tuple[Tree, Directory]]:
        """A copy of all files, for `restore`."""
        return [(tree, tree.kept()) for _, tree in self._trees()]

    def restore(self, kept: list[tuple[Tree, Directory]]) -> None:
        """All files as they were; no fault, no upload and no log is left."""
        for tree, root in kept:
            tree.restore(root)
        self.uploads.sessions.clear()
        self.faults.heal()
        self.log.clear()

    def remove(self, path: str) -> None:
        """Takes away what is there, all of it."""
        tree, parts = self._place(path)
        tree.remove(parts)

    def tree(self, below: str = "") -> dict[str, bytes]:
        """Every file and its bytes, by its path."""
        return {path: file.content.read() for path, file in self._every() if path.startswith(below)}

    def paths(self, below: str = "") -> list[str]:
        """Every file's path, in order."""
        return sorted(path for path, _ in self._every() if path.startswith(below))

    def _every(self) -> Iterator[tuple[str, File]]:
        for prefix, tree in self._trees():
            for parts, node in tree.walk():
                if isinstance(node, File):
                    yield prefix + "/" + "/".join(parts), node

    def _trees(self) -> list[tuple[str, Tree]]:
        trees = [("dbfs:", self.dbfs.tree), ("/Workspace", self.workspace.tree)]
        return trees + [("/Volumes/" + "/".join(name), volume.tree) for name, volume in self.catalog.volumes.items()]

    def _place(self, path: str) -> tuple[Tree, Parts]:
        if path.startswith("dbfs:"):
            return self.dbfs.tree, dbfs.parts_of(path)
        if path.startswith("/Workspace/"):
            return self.workspace.tree, workspace.parts_of(path)
        return self.files.place(path)
