"""The whole program as a person meets it: a script, the files it begins with, and every byte it answers.

Each case is a folder: `reconcile.yaml`, `files/` (copied beside it), `script`, `output.txt`. A line of a script is
`$ reconcile …`, run through the real command in this process, `$ tree DIR` and `$ sqlite3 FILE SQL`, which look, or
`! write FILE TEXT`, `! mv OLD NEW`, `! ln TO FILE` or `! rm FILE`; all else is told as it stands.
`RECONCILE_UPDATE_GOLDEN=1` writes `output.txt` anew.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
import os
from pathlib import Path
import re
import shlex
import shutil
import sqlite3

import pytest

from reconcile.cli.main import run

HERE = Path(__file__).parent
CASES = sorted(script.parent.name for script in HERE.glob("*/script"))
UPDATE = bool(os.environ.get("RECONCILE_UPDATE_GOLDEN"))

CHANGING: list[tuple[str, str]] = [
    (r" in \d+(\.\d)? (s|min)\b", " in … s"),
    (r"(here|there) \d{4}-\d\d-\d\d \d\d:\d\d(:\d\d)?", r"\1 …"),
    (r"\b\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\b", "…"),
    (r"\b\d\d:\d\d:\d\d\b", "…"),
    (r"\bunlock [0-9a-f]{8}\b", "unlock …"),
    (r"\d+(\.\d)? (s|min) ago\b", "… ago"),
    (r"\bby [^\s@]+@[^\s:]+:", "by …:"),
]
"""What differs from run to run, and what stands for it."""


def _write(root: Path, name: str, text: str) -> None:
    file = root / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text + "\n", encoding="utf-8")


def _move(root: Path, old: str, new: str) -> None:
    (root / new).parent.mkdir(parents=True, exist_ok=True)
    (root / old).rename(root / new)


def _remove(root: Path, name: str) -> None:
    file = root / name
    file.unlink() if file.is_file() else shutil.rmtree(file)


def _link(root: Path, to: str, name: str) -> None:
    (root / name).symlink_to(to)


DEEDS: dict[str, Callable[..., None]] = {"write": _write, "mv": _move, "rm": _remove, "ln": _link}


class Terminal:
    """Plays a script in a directory and keeps what a person would see there."""

    def __init__(self, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self._root = root
        self._capsys = capsys
        self.seen: list[str] = []

    def play(self, line: str) -> None:
        """One line: told, and done."""
        self.seen.append(line)
        match line[:2]:
            case "$ ":
                self._command(shlex.split(line[2:]))
            case "! ":
                verb, *words = shlex.split(line[2:])
                DEEDS[verb](self._root, *words)
            case _:
                assert not line or line.startswith("#"), f"no such line: {line}"

    def _command(self, words: list[str]) -> None:
        if words[0] == "tree":
            self.seen += _tree(self._root / words[1])
            return
        if words[0] == "sqlite3":
            self.seen += _queried(self._root / words[1], words[2])
            return
        assert words[0] == "reconcile", words
        code = run(words[1:])
        told = self._capsys.readouterr()
        self.seen += [self._steady(text) for text in (told.out + told.err).splitlines()]
        if code:
            self.seen.append(f"[exit {code}]")

    def _steady(self, line: str) -> str:
        line = line.replace(str(self._root), "ROOT").rstrip()
        for pattern, stands_for in CHANGING:
            line = re.sub(pattern, stands_for, line)
        return line


def _tree(root: Path) -> list[str]:
    """Every file below a directory with its text; control files are nobody's business."""
    files = (file for file in sorted(root.rglob("*")) if file.is_file() and ".reconcile" not in file.parts)
    return [f"{file.relative_to(root).as_posix()}: {file.read_text(encoding='utf-8').strip()}" for file in files]


def _queried(file: Path, sql: str) -> list[str]:
    """What SQLite's own shell would say."""
    with closing(sqlite3.connect(file)) as client:
        try:
            return ["|".join("" if value is None else str(value) for value in row) for row in client.execute(sql)]
        except sqlite3.Error as error:
            return [f"Error: {error}"]


@pytest.mark.parametrize("case", CASES)
def test_a_person_sees(case, tmp_path, monkeypatch, capsys):
    folder, root = HERE / case, tmp_path / "work"
    files = folder / "files"
    shutil.copytree(files, root) if files.is_dir() else root.mkdir()
    shutil.copy(folder / "reconcile.yaml", root)
    monkeypatch.chdir(root)
    terminal = Terminal(root, capsys)
    for line in (folder / "script").read_text(encoding="utf-8").splitlines():
        terminal.play(line)
    told = "\n".join(terminal.seen) + "\n"
    golden = folder / "output.txt"
    if UPDATE:
        golden.write_text(told, encoding="utf-8")
    assert told == golden.read_text(encoding="utf-8")


def test_there_are_cases_and_each_is_whole():
    assert len(CASES) >= 10
    for case in CASES:
        assert {"script", "output.txt", "reconcile.yaml"} <= {file.name for file in (HERE / case).iterdir()}, case
