"""What Autosync's users do all day, against a Databricks workspace on this machine.

    python examples/autosync/run.py

Translates their config.yaml, sends the folder, prints the cells for the notebook, and then follows edits, renames and
deletions: by `apply`, and by `watch` as Autosync did.
"""

from __future__ import annotations

import os
from pathlib import Path
import signal
import sys
from threading import Thread
import time

sys.path.append(str(Path(__file__).resolve().parents[1]))  # stage.py is beside the examples

from stage import Stage, play, tell

PATIENCE_S = 30


def story(on: Stage) -> None:
    """The switch, a day's work, and the evening."""
    (on.desk / "reconcile.yaml").unlink()
    on.run("init", "--from", "config.yaml")
    on.run("plan")
    on.run("apply", "--auto-approve")

    tell("A module is edited, one gets a new name, a file goes.")
    harbour = on.desk / "harbour"
    tides = harbour / "tides.py"
    tides.write_text(tides.read_text(encoding="utf-8").replace("lib.clock", "lib.clocks"), encoding="utf-8")
    (harbour / "lib" / "clock.py").rename(harbour / "lib" / "clocks.py")
    (harbour / "settings.json").unlink()
    on.run("plan")
    on.run("apply", "--auto-approve")
    on.run("ls", "harbour")

    tell("All day long: watch, until Ctrl-C. Two saves, half a second apart, of which Autosync lost the second.")
    watched(on, tides)
    on.run("verify")


def watched(on: Stage, file: Path) -> None:
    """Edits a file while `watch` runs, which is stopped by Ctrl-C when the last edit has arrived."""

    def type_on() -> None:
        try:
            save(file, "the first save")
            wait_for(on, b"# the first save")
            for text in ("the second save", "the third save"):
                save(file, text)
                time.sleep(0.5)
            wait_for(on, b"# the third save")
        finally:
            os.kill(os.getpid(), signal.SIGINT)

    typing = Thread(target=type_on)
    typing.start()
    on.run("watch")
    typing.join()


def save(file: Path, text: str) -> None:
    """A comment more, in place, as editors do it."""
    file.write_text(file.read_text(encoding="utf-8") + f"\n# {text}\n", encoding="utf-8")


def wait_for(on: Stage, text: bytes) -> None:
    """Returns when the workspace holds a module with that text."""
    ends = time.monotonic() + PATIENCE_S
    while not any(text in data for data in on.workspace.tree("dbfs:").values()):
        if time.monotonic() > ends:
            raise SystemExit(f"{text!r} does not arrive")
        time.sleep(0.05)


if __name__ == "__main__":
    play("autosync", story)
