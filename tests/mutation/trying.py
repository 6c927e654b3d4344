"""Tries mutants: each in a process of its own, forked from one that has loaded and collected all the tests.

What is inside of a function is changed where it stands: the function gets the mutant's code. What runs only when a
module is loaded (constants, tables, defaults) is met by a process that has not loaded it, and loads the mutant.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
import gc
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
import importlib.util
import os
from pathlib import Path
import signal
import sys
import tempfile
import time
from types import CodeType, FunctionType
from typing import Final, Literal

from hypothesis import strategies
import pytest

from tests.mutation.mutants import Mutant, mutated

Verdict = Literal["killed", "survived"]

PYTEST: Final = (
    *("-x", "-q", "-o", "addopts=", "--import-mode=importlib", "-p", "no:cacheprovider", "-p", "no:xdist"),
    *("-W", "ignore::pytest.PytestAssertRewriteWarning", "-W", "ignore::pytest.PytestWarning"),
)
LOADED: Final = strategies
"""What takes long to load and never changes: loaded once, in the process that all others are forked from."""

PATIENCE_S: Final = 60.0
"""A mutant may make a loop endless: then it was noticed."""


def forked(mutant: Mutant, tests: Sequence[pytest.Item], root: Path) -> Verdict:
    """The verdict of a process that has collected the tests: whether one of them fails with the function changed."""
    child = os.fork()
    if child == 0:
        os.setsid()
        os._exit(_fail_here(mutant, tests, root))
    return "survived" if _waited(child) == 0 else "killed"


def _fail_here(mutant: Mutant, tests: Sequence[pytest.Item], root: Path) -> int:
    try:
        _change(mutant, root)
        with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
            for test in tests:
                test.config.hook.pytest_runtest_protocol(item=test, nextitem=None)
                if test.session.testsfailed:
                    return 1
    except BaseException:  # noqa: BLE001 - whatever it is, the mutant made it
        return 1
    return 0


def _change(mutant: Mutant, root: Path) -> None:
    """Gives every living function that stands where the mutant's does its code."""
    code = _code_of(mutated(mutant.file, mutant.number, root), mutant.function, mutant.lines[0])
    place = (str(root / mutant.file), code.co_qualname, code.co_firstlineno)
    found = 0
    for one in gc.get_objects():
        if type(one) is FunctionType:
            known = one.__code__
            if (known.co_filename, known.co_qualname, known.co_firstlineno) == place:
                one.__code__ = code
                found += 1
    if not found:
        os._exit(3)  # nobody ever made it: told as an error


def _code_of(module: CodeType, function: str, line: int) -> CodeType:
    """The code of the function of this name around a line."""
    todo, fitting = [module], []
    while todo:
        for inner in todo.pop().co_consts:
            if isinstance(inner, CodeType):
                todo.append(inner)
                if inner.co_qualname == function and inner.co_firstlineno <= line:
                    fitting.append(inner)
    return max(fitting, key=lambda one: one.co_firstlineno)


class _Loader(SourceFileLoader):
    """Loads a module with one change made in it."""

    def __init__(self, name: str, path: str, code: CodeType) -> None:
        super().__init__(name, path)
        self._code = code

    def get_code(self, fullname: str) -> CodeType:
        return self._code


class _Finder(MetaPathFinder):
    def __init__(self, name: str, loader: _Loader) -> None:
        self._name = name
        self._loader = loader

    def find_spec(self, fullname: str, *_: object) -> ModuleSpec | None:
        if fullname != self._name:
            return None
        return importlib.util.spec_from_file_location(fullname, self._loader.path, loader=self._loader)


def module_name(file: str) -> str:
    """`reconcile/core/path.py` → `reconcile.core.path`."""
    return file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def loaded(mutant: Mutant, tests: Sequence[str], root: Path) -> Verdict:
    """The verdict of a process that has loaded nothing of the product yet: whether one of the tests fails."""
    assert not any(name.partition(".")[0] == "reconcile" for name in sys.modules), "it is loaded already"
    child = os.fork()
    if child == 0:
        os.setsid()
        os._exit(_fail_loaded(mutant, tests, root))
    return "survived" if _waited(child) == 0 else "killed"


def _fail_loaded(mutant: Mutant, tests: Sequence[str], root: Path) -> int:
    """The exit code of pytest; 1 when the module cannot even be loaded."""
    try:
        code = mutated(mutant.file, mutant.number, root)
        name = module_name(mutant.file)
        sys.meta_path.insert(0, _Finder(name, _Loader(name, str(root / mutant.file), code)))
        with (
            Path(os.devnull).open("w") as nowhere,
            redirect_stdout(nowhere),
            redirect_stderr(nowhere),
            tempfile.TemporaryDirectory(prefix="mutant-") as place,
        ):
            return int(pytest.main([*PYTEST, f"--basetemp={place}/t", f"--rootdir={root}", *tests]))
    except BaseException:  # noqa: BLE001 - as above
        return 1


def _waited(child: int) -> int:
    """The exit code of a child; one that takes too long is killed with all its own, which counts as a failure."""
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            code = os.waitstatus_to_exitcode(status)
            assert code != 3, "the function to be changed was not found"
            return code
        time.sleep(0.005)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return 1
