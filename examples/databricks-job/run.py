"""The nightly job of databricks.yml, three nights in a row, against a Databricks workspace on this machine.

python examples/databricks-job/run.py
"""

from __future__ import annotations

from pathlib import Path
import sys

sys.path.append(str(Path(__file__).resolve().parents[1]))  # stage.py is beside the examples

from stage import Stage, play, tell

PARAMETERS = ("--spec=reconcile.yaml", "--state=/Volumes/main/ops/state/harbour.db")


def story(on: Stage) -> None:
    """A first night, a quiet one, and one on which the source was lost."""
    on.workspace.catalog.add("main", "ops", "state")
    tell("The first night: the schema and the volume are made, the files sent.")
    on.script("nightly.py", *PARAMETERS)

    tell("The second night: one file was edited here, and somebody put another there by hand.")
    (on.desk / "harbour" / "berths.csv").write_text("berth,length_m\nA1,12\nA2,16\n", encoding="utf-8")
    on.workspace.put("/Volumes/main/harbour/landing/files/manual/notice.txt", b"Closed on Sunday.\n")
    on.script("nightly.py", *PARAMETERS)

    tell("The third night: the source is empty. Nothing is deleted, and the job fails, so that somebody looks.")
    for path in (on.desk / "harbour").iterdir():
        path.unlink()
    on.script("nightly.py", *PARAMETERS, code="RuntimeError: reconcile ended with 4")
    on.run("ls", "harbour")


if __name__ == "__main__":
    play("databricks-job", story)
