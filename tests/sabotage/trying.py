"""Plants one bug in a copy of the tree and asks the suite whether it minds."""

from __future__ import annotations

import os
from pathlib import Path
import shutil
import subprocess
import sys
import tempfile
from typing import Literal

from tests.sabotage.bugs import ROOT, Bug

TAKEN = ("reconcile", "schemas", "tests", "examples", "state", ".github", "pyproject.toml", "README.md", "CHANGELOG.md")
LEFT_OUT = shutil.ignore_patterns("__pycache__")
WHOLE = ("-n", "auto", "tests", "--ignore=tests/sabotage")
PATIENCE_S = 1_800

Verdict = Literal["caught", "survived"]


class Scratch:
    """A copy of the tree; one bug at a time. `said` is what pytest said last."""

    def __init__(self) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="sabotage-")) / "tree"
        self.said = ""
        self.root.mkdir()
        for path in (ROOT / name for name in TAKEN):
            if path.is_dir():
                shutil.copytree(path, self.root / path.name, ignore=LEFT_OUT, symlinks=True)
            elif path.exists():
                shutil.copy(path, self.root)

    def __enter__(self) -> Scratch:  # noqa: PYI034
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.root.parent, ignore_errors=True)

    def try_(self, bug: Bug, *, thorough: bool) -> Verdict:
        """Whether the bug's own tests mind it; `thorough`: else the whole suite is asked."""
        if bug.occurrences() != 1:
            raise ValueError(f"{bug.bug}: its text stands {bug.occurrences()} times in {bug.file}")
        bug.plant(self.root)
        try:
            minds = self._fails("-n0", *bug.tests) or (thorough and self._fails(*WHOLE))
        finally:
            bug.heal(self.root)
        return "caught" if minds else "survived"

    def _fails(self, *arguments: str) -> bool:
        """Whether a test fails; a suite that cannot even be collected says nothing about the bug."""
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *arguments]
        command.append(f"--basetemp={self.root.parent / 'temp'}")
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "COV"))}
        environment["PYTHONPATH"] = str(self.root)
        environment.pop("PYTHONDONTWRITEBYTECODE", None)  # what one bug's tests load, the next one's do
        ended = subprocess.run(
            command, cwd=self.root, env=environment, capture_output=True, text=True, timeout=PATIENCE_S, check=False
        )
        self.said = ended.stdout
        if ended.returncode and not self.caught_by():
            raise RuntimeError(f"pytest ended with {ended.returncode}:\n{ended.stdout[-3000:]}{ended.stderr[-1000:]}")
        return ended.returncode != 0

    def caught_by(self) -> str:
        """The first test that failed."""
        failed = (line for line in self.said.splitlines() if line.startswith(("FAILED ", "ERROR ")) and "::" in line)
        return next(failed, "").partition(" ")[2].partition(" - ")[0]
