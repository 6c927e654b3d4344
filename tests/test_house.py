"""The house rules: the floors hold, nothing is too big, everything says what it is."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
import shutil
import subprocess
import sys

import pytest

ROOT = Path(__file__).parents[1]
HOUSE = ROOT / "reconcile"
TOP = {"CHANGELOG.md", "LICENSE", "README.md", "examples", "pyproject.toml", "reconcile", "schemas", "state", "tests"}
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 40
MAX_POSITIONAL = 5

Function = ast.FunctionDef | ast.AsyncFunctionDef


def _sources(*folders: Path) -> Iterator[tuple[str, ast.Module, str]]:
    """Every Python file below the folders: its name, its tree, its text."""
    for folder in folders:
        yield from _below(folder)


@cache
def _below(folder: Path) -> list[tuple[str, ast.Module, str]]:
    """Read once for all tests."""
    files = [(file, file.read_text(encoding="utf-8")) for file in sorted(folder.rglob("*.py"))]
    return [(file.relative_to(ROOT).as_posix(), ast.parse(text), text) for file, text in files]


def _functions(tree: ast.AST) -> Iterator[Function]:
    return (node for node in ast.walk(tree) if isinstance(node, Function))


def _docstring_lines(function: Function) -> int:
    if ast.get_docstring(function, clean=False) is None:
        return 0
    said = function.body[0]
    return said.end_lineno - said.lineno + 1


def _lines(function: Function) -> int:
    return function.end_lineno - function.lineno + 1 - _docstring_lines(function)


def _positional(function: Function) -> int:
    names = [argument.arg for argument in (*function.args.posonlyargs, *function.args.args)]
    return len(names) - (names[:1] in (["self"], ["cls"]))


def _public_without_docstring(tree: ast.Module) -> Iterator[str]:
    if ast.get_docstring(tree) is None:
        yield "the module"
    for node in tree.body:
        if (
            isinstance(node, (ast.ClassDef, Function))
            and not node.name.startswith("_")
            and ast.get_docstring(node) is None
        ):
            yield node.name


def _asks_for_dry_run(node: ast.AST) -> bool:
    if not isinstance(node, (ast.If, ast.IfExp, ast.While)):
        return False
    names = (getattr(part, "id", getattr(part, "attr", "")) for part in ast.walk(node.test))
    return "dry_run" in names


def test_the_floors_hold():
    linter = Path(sys.executable).with_name("lint-imports")
    checked = subprocess.run([linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_files_are_short():
    long = {name: text.count("\n") for name, _, text in _sources(HOUSE, ROOT / "tests", ROOT / "examples")}
    assert {name: lines for name, lines in long.items() if lines > MAX_FILE_LINES} == {}


def test_functions_are_short():
    everywhere = _sources(HOUSE, ROOT / "tests", ROOT / "examples")
    sizes = {f"{name}:{f.lineno} {f.name}": _lines(f) for name, tree, _ in everywhere for f in _functions(tree)}
    assert {function: lines for function, lines in sizes.items() if lines > MAX_FUNCTION_LINES} == {}


def test_functions_take_few_positional_arguments():
    counts = {
        f"{name}:{f.lineno} {f.name}": _positional(f) for name, tree, _ in _sources(HOUSE) for f in _functions(tree)
    }
    assert {function: count for function, count in counts.items() if count > MAX_POSITIONAL} == {}


def test_everything_public_says_what_it_is():
    silent = [f"{name}: {what}" for name, tree, _ in _sources(HOUSE) for what in _public_without_docstring(tree)]
    assert silent == []


def test_only_the_commands_print():
    calls = (
        f"{name}:{node.lineno}"
        for name, tree, _ in _sources(HOUSE)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "print"
    )
    assert [call for call in calls if not call.startswith("reconcile/cli/")] == []


def test_nothing_asks_whether_it_is_a_dry_run():
    asks = (
        f"{name}:{node.lineno}"
        for name, tree, _ in _sources(HOUSE)
        for node in ast.walk(tree)
        if _asks_for_dry_run(node)
    )
    assert [ask for ask in asks if not ask.startswith("reconcile/cli/")] == []


def test_the_top_level_has_the_names_it_has():
    if not shutil.which("git") or not (ROOT / ".git").exists():
        pytest.skip("no git checkout, so no list of what belongs to it")
    command = ["git", "-c", "safe.directory=*", "-c", "core.quotePath=off", "ls-files"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    names = {line.partition("/")[0] for line in listed.stdout.splitlines()}
    assert {name for name in names if not name.startswith(".")} == TOP


@pytest.mark.parametrize(
    ("source", "sizes"),
    [
        ("def f(a, b, *, c):\n    return a\n", (2, 2)),
        ('def f(self, a):\n    """Says.\n\n    More.\n    """\n    return a\n', (2, 1)),
        ('async def f():\n    """Says."""\n', (1, 0)),
    ],
)
def test_how_a_function_is_measured(source, sizes):
    (function,) = _functions(ast.parse(source))
    assert (_lines(function), _positional(function)) == sizes


def test_what_counts_as_silence_and_as_asking():
    tree = ast.parse("def f():\n    if options.dry_run:\n        pass\n\nclass _Own: ...\n")
    assert list(_public_without_docstring(tree)) == ["the module", "f"]
    assert any(_asks_for_dry_run(node) for node in ast.walk(tree))
