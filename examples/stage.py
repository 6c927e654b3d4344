"""What the Databricks examples share: a workspace on this machine, and a narrator who types and shows the answers.

No account, no network, no traces: the workspace is the emulator of the tests, on 127.0.0.1, and everything lies in a
temporary directory that goes at the end. The commands run in this process, as they would by themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
import os
from pathlib import Path
import runpy
import shlex
import shutil
import sys
import tempfile
from typing import TYPE_CHECKING, NamedTuple

EXAMPLES = Path(__file__).resolve().parent
sys.path.append(str(EXAMPLES.parent))  # the emulator is in the checkout's tests

if TYPE_CHECKING:
    from tests.fakes.databricks import Emulator


class Stage(NamedTuple):
    """The workspace, and a copy of the example to work in, which is the working directory."""

    workspace: Emulator
    desk: Path

    def run(self, *arguments: str, code: int = 0) -> None:
        """Runs `reconcile` and shows what is typed and what is answered."""
        from reconcile.cli.main import run  # noqa: PLC0415 - the environment must be set first

        print(f"\n--- reconcile {shlex.join(arguments)}", flush=True)
        ended = run([*arguments])
        if ended != code:
            raise SystemExit(f"ended with {ended}, not {code}")

    def script(self, name: str, *arguments: str, code: object = 0) -> None:
        """Runs a Python script of the example, likewise; `code` is what it exits with, or raises."""
        print(f"\n--- python {shlex.join([name, *arguments])}", flush=True)
        before, sys.argv = sys.argv, [name, *arguments]
        try:
            runpy.run_path(name, run_name="__main__")
            ended: object = 0
        except SystemExit as left:
            ended = left.code
        except RuntimeError as error:  # a real interpreter would print it with its traceback
            ended = f"{type(error).__name__}: {error}"
        finally:
            sys.argv = before
        if ended != code:
            raise SystemExit(f"ended with {ended}, not {code}")
        if ended:
            print(ended, flush=True)


def tell(text: str) -> None:
    """What happens between two commands."""
    print(f"\n# {text}", flush=True)


@contextmanager
def stage(example: str) -> Iterator[Stage]:
    """Everything set up for one example, and taken away again."""
    from tests.fakes.databricks import Emulator  # noqa: PLC0415 - found by the path above

    home = Path.cwd()
    with tempfile.TemporaryDirectory(prefix="reconcile-example-") as room, Emulator() as workspace:
        desk = Path(room, example)
        shutil.copytree(EXAMPLES / example, desk, ignore=shutil.ignore_patterns("state", "__pycache__"))
        profiles = Path(room, "databrickscfg")
        profiles.write_text(f"[DEFAULT]\nhost = {workspace.url}\ntoken = {workspace.token}\n", encoding="utf-8")
        for name in [name for name in os.environ if name.startswith("DATABRICKS_")]:
            del os.environ[name]
        os.environ["DATABRICKS_CONFIG_FILE"] = str(profiles)
        os.environ["XDG_CACHE_HOME"] = str(Path(room, "cache"))
        os.environ["NO_PROXY"] = "127.0.0.1"
        os.chdir(desk)
        try:
            print(f"A Databricks workspace answers at {workspace.url}. You are in {desk}.", flush=True)
            yield Stage(workspace, desk)
        finally:
            os.chdir(home)
    print("\nThe workspace is stopped and everything it kept is gone.")


def play(example: str, story: Callable[[Stage], None]) -> None:
    """Sets the stage, and lets the story happen on it."""
    with stage(example) as set_up:
        story(set_up)
