"""What the documents say is what happens."""

from __future__ import annotations

import os
from pathlib import Path
import re
import shutil
import sys

import click
import pytest

from tests import docs

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
DOCUMENTS = [README, *sorted(ROOT.glob("examples/*/README.md"))]
SPECS = re.findall(r"^```yaml\n(version: .*?)^```$", README.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
VENV = "python3 -m venv .venv && .venv/bin/pip install -q"
TWO_COMMANDS = [
    f"{VENV} . && .venv/bin/reconcile -C examples/quickstart apply --auto-approve",
    f"{VENV} -e '.[test]' && .venv/bin/python -m pytest",
]


@pytest.fixture
def env(tmp_path):
    """An environment in which `reconcile` is the one of this checkout."""
    shim = tmp_path / "bin" / "reconcile"
    shim.parent.mkdir()
    shim.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m reconcile "$@"\n', encoding="utf-8")
    shim.chmod(0o755)
    path = f"{shim.parent}{os.pathsep}{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return os.environ | {
        "PATH": path,
        "PYTHONPATH": str(ROOT),
        "LC_ALL": "C.UTF-8",
        "NO_COLOR": "1",
        "TMPDIR": str(tmp_path),
    }


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_the_commands_of_a_document_do_what_it_says(document, env, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(ROOT / "examples", copy / "examples", ignore=shutil.ignore_patterns("state", "out"))
    shutil.copy(README, copy)
    todo = docs.steps(document.read_text(encoding="utf-8"))
    assert todo, "the document shows nothing that runs"
    ran = docs.run(todo, copy / document.parent.relative_to(ROOT), env)
    assert "\n\n".join(docs.complaints(ran)) == ""


@pytest.mark.parametrize("command", TWO_COMMANDS)
def test_the_readme_has_the_two_commands(command):
    assert command in README.read_text(encoding="utf-8")


@pytest.mark.parametrize("text", SPECS)
def test_the_specs_of_the_readme_are_valid(text, env, tmp_path):
    (tmp_path / "reconcile.yaml").write_text(text, encoding="utf-8")
    validate = docs.Step("reconcile validate", None)
    assert "\n\n".join(docs.complaints(docs.run([validate], tmp_path, env))) == ""


def _commands(group, context, path=()):
    """Every command that is not hidden, with its path, groups included."""
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is None or command.hidden:
            continue
        yield (*path, name), command
        if isinstance(command, click.Group):
            yield from _commands(command, click.Context(command, parent=context), (*path, name))


def _flags(command):
    shown = (param for param in command.params if isinstance(param, click.Option) and not param.hidden)
    return {flag for option in shown for flag in (*option.opts, *option.secondary_opts) if flag.startswith("--")}


def test_every_verb_and_flag_is_in_the_readme():
    from reconcile.cli import main

    group = next(value for value in vars(main).values() if isinstance(value, click.Group))
    text = README.read_text(encoding="utf-8")
    commands = dict(_commands(group, click.Context(group)))
    silent = [" ".join(path) for path in commands if not re.search(rf"\b{' '.join(path)}\b", text)]
    flags = set().union(_flags(group), *map(_flags, commands.values())) - {"--help"}
    silent += [flag for flag in sorted(flags) if not re.search(rf"{flag}(?![\w-])", text)]
    assert silent == []


DOCUMENT = """
```console run
$ printf 'one\\ntwo 2.5 s\\nthree\\n'
one
two … s
…
$ (exit 3)
$ echo $?
3
```
```console
$ never run
```
```bash run
cd /
test "$PWD" = /
```
```python run
from pathlib import Path
assert Path.cwd() == Path("/")
```
"""


def test_a_document_is_read_and_run_in_one_shell(env, tmp_path):
    todo = docs.steps(DOCUMENT)
    assert [step.output for step in todo] == ["one\ntwo … s\n…", "", "3", None, None]
    assert list(docs.complaints(docs.run(todo, tmp_path, env))) == []


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("```console run\n$ echo one\ntwo\n```\n", "but the document says"),
        ("```console run\n$ echo one\n```\n", "but the document says"),
        ("```console run\n$ false\n$ echo done\ndone\n```\n", "does not say so"),
        ("```bash run\nfalse\n```\n", "does not say so"),
        ("```python run\nraise SystemExit(2)\n```\n", "does not say so"),
    ],
)
def test_a_document_that_is_wrong_is_found_out(text, complaint, env, tmp_path):
    (found,) = docs.complaints(docs.run(docs.steps(text), tmp_path, env))
    assert complaint in found


@pytest.mark.parametrize(
    ("expected", "actual", "same"),
    [
        ("a\n…\nd", "a\nb\nc\nd\n", True),
        ("a\n…\nd", "a\nd\n", True),
        ("…", "", True),
        ("a … c", "a b c   \n", True),
        ("a…", "b", False),
        ("a.c", "abc", False),
        ("a\nb", "a\n\nb", False),
    ],
)
def test_what_an_ellipsis_stands_for(expected, actual, same):
    assert docs.matches(expected, actual) is same
