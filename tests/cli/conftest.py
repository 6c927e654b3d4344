"""A place to type commands in: a directory with a spec and some files, and the real command in this process."""

from __future__ import annotations

from dataclasses import dataclass, field
import json
from pathlib import Path
from typing import Any

import pytest

from reconcile.cli.main import run

SPEC = "version: 1\nmappings:\n  docs: {source: ./docs, target: ./there}\n"
FILES = {"a.txt": "alpha", "b.txt": "beta", "sub/c.txt": "gamma, the third"}


@dataclass(frozen=True)
class Told:
    """What a command answered."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one document on stdout; the exit code in it is the command's."""
        document = json.loads(self.out)
        assert document["exit_code"] == self.code
        return document

    @property
    def report(self) -> Any:
        """The last line of a run's events."""
        report = json.loads(self.out.splitlines()[-1])
        assert (report["event"], report["exit_code"]) == ("report", self.code)
        return report

    @property
    def last(self) -> str:
        return self.out.splitlines()[-1]


@dataclass
class Place:
    """`place("plan", "--json")` runs `reconcile plan --json` in `root`."""

    root: Path
    capsys: pytest.CaptureFixture[str] = field(repr=False)

    def __call__(self, *words: str) -> Told:
        self.capsys.readouterr()
        code = run(list(words))
        out, err = self.capsys.readouterr()
        return Told(code, out, err)

    def ok(self, *words: str) -> Told:
        told = self(*words)
        assert told.code == 0, (words, told)
        return told

    def applied(self) -> None:
        """Makes the target what the spec says."""
        self.ok("apply", "--auto-approve")

    def write(self, name: str, text: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def read(self, name: str) -> str:
        return (self.root / name).read_text(encoding="utf-8")

    def there(self) -> set[str]:
        """The files of the target, control files left out."""
        found = (path.relative_to(self.root / "there") for path in (self.root / "there").rglob("*") if path.is_file())
        return {path.as_posix() for path in found if path.parts[0] != ".reconcile"}


@pytest.fixture
def bare(tmp_path, monkeypatch, capsys):
    """An empty directory."""
    monkeypatch.chdir(tmp_path)
    return Place(tmp_path, capsys)


@pytest.fixture
def place(bare):
    """`docs/` with three files waits to be applied to `there/`."""
    bare.write("reconcile.yaml", SPEC)
    for name, text in FILES.items():
        bare.write(f"docs/{name}", text)
    return bare
