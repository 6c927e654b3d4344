"""What volsync's users do, against a Databricks workspace on this machine.

    python examples/volsync/run.py

A dry run, the upload with the schema and the volume made on the way, a second run that sends nothing, a new version
beside the old one, an upload that fails, and the listing with its total.
"""

from __future__ import annotations

from pathlib import Path
import sys

sys.path.append(str(Path(__file__).resolve().parents[1]))  # stage.py is beside the examples

from stage import Stage, play, tell


def story(on: Stage) -> None:
    """From an empty catalog to a volume with versions."""
    on.workspace.catalog.add("main")
    tell("--dry-run is plan: it lists every file, and what would be made.")
    on.run("plan")
    on.run("apply", "--auto-approve")

    tell("The same again: nothing to send.")
    on.run("apply", "--auto-approve")

    tell("A file is edited, another one cannot be sent: the rest arrives, the exit code is not 0.")
    documents = on.desk / "documents"
    (documents / "berths.csv").write_text("berth,length_m\nA1,12\nA2,18\n", encoding="utf-8")
    (documents / "contracts" / "broken.txt").write_text("The workspace refuses this one.\n", encoding="utf-8")
    refused(on, "broken_")
    on.run("apply", "--auto-approve", code=7)
    on.workspace.faults.heal()

    tell("From Python; what failed is tried again.")
    on.script("report.py")

    tell("list-remote is ls: both versions of berths.csv, and the total.")
    on.run("ls", "documents")

    tell("--force is --resend.")
    on.run("apply", "--auto-approve", "--resend")


def refused(on: Stage, name: str) -> None:
    """The workspace refuses every file whose name begins so."""
    from tests.fakes.databricks.faults import refuse  # noqa: PLC0415 - found by the path that stage.py adds

    denied = refuse(403, "PERMISSION_DENIED", "User does not have WRITE VOLUME on this path")
    on.workspace.faults.add(denied, "PUT", about=name, times=None)


if __name__ == "__main__":
    play("volsync", story)
