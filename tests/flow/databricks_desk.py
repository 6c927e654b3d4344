"""A directory to type commands in, and a Databricks workspace that the commands reach by the profile DEFAULT."""

from __future__ import annotations

from contextlib import contextmanager
from threading import Event, Thread
import time
from typing import Any

import reconcile
from reconcile.core.path import TEMP_PREFIX, has_control
from tests.cli.conftest import Place, Told
from tests.fakes.databricks import Emulator

CHANGES = "POST|PUT|PATCH|DELETE"
PATIENCE_S = 10.0


class Desk(Place):
    """`desk("apply", "--auto-approve")` runs `reconcile`; `workspace` is what it reaches."""

    workspace: Emulator

    def apply(self, *words: str) -> Told:
        return self("apply", "--auto-approve", *words)

    def changes(self) -> list[Any]:
        """Every request so far that could change something."""
        return self.workspace.log.of(CHANGES)

    def holds(self, prefix: str) -> dict[str, str]:
        """The files below a path of the workspace, relative to it, as text; our own are left out."""
        found = ((path.removeprefix(prefix), data) for path, data in self.workspace.tree(prefix).items())
        return {key: data.decode() for key, data in found if not has_control(key)}

    def is_tidy(self) -> bool:
        """Whether nothing half written is left anywhere."""
        return not [path for path in self.workspace.paths() if TEMP_PREFIX in path]

    @contextmanager
    def watched(self):
        """`reconcile watch` beside the test; its first pass is over when this begins."""
        stop, passed, ended = Event(), Event(), []
        spec = reconcile.load_spec(self.root)

        def run() -> None:
            reconcile.watch(spec, stop=stop, on_result=lambda _result: passed.set())
            ended.append(True)

        thread = Thread(target=run)
        thread.start()
        try:
            assert passed.wait(PATIENCE_S)
            yield
        finally:
            stop.set()
            thread.join(PATIENCE_S)
        assert ended, "watch never ends by itself, and always when it is told to"


def desk_at(tmp_path, monkeypatch, capsys, workspace: Emulator) -> Desk:
    """A desk in `tmp_path`, with a login and a profile, and without any other way to the workspace."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("USER", "ada")
    profiles = tmp_path.parent / f"{tmp_path.name}.databrickscfg"
    profiles.write_text(f"[DEFAULT]\nhost = {workspace.url}\ntoken = {workspace.token}\n", encoding="utf-8")
    monkeypatch.setenv("DATABRICKS_CONFIG_FILE", str(profiles))
    desk = Desk(tmp_path, capsys)
    desk.workspace = workspace
    return desk


def until(true, within_s: float = PATIENCE_S) -> float:
    """Waits until it is so; how long that took."""
    began = time.monotonic()
    while not true():
        assert time.monotonic() - began < within_s, "it never came to be"
        time.sleep(0.01)
    return time.monotonic() - began
