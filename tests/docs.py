"""Runs the command blocks of a Markdown file and compares what they print with what the file says.

A fenced block runs when `run` follows its language: a ``console run`` block is a dialogue (`$ command`, then its
output), a ``bash run`` or ``python run`` block a script that must succeed. All blocks of a file run in one shell, in
order. In an output `…` stands for any text within a line, and alone on a line for any lines. A command that fails is
shown to fail: the next one is `$ echo $?`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
import re
import subprocess

_BLOCK = re.compile(r"^```(?P<language>console|bash|python) run\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_MARK = "\x1ereconcile-docs\x1e"


@dataclass(frozen=True)
class Step:
    """One command and the output it must have; None: any, as long as it succeeds."""

    command: str
    output: str | None


@dataclass(frozen=True)
class Ran:
    """What a command did."""

    step: Step
    output: str
    code: int


def steps(markdown: str) -> list[Step]:
    """Everything that runs, in order."""
    found: list[Step] = []
    for block in _BLOCK.finditer(markdown):
        script = block["text"].rstrip("\n")
        if block["language"] == "bash":
            found.append(Step(script, None))
        elif block["language"] == "python":
            found.append(Step(f"python <<'PYTHON'\n{script}\nPYTHON", None))
        else:
            found += _dialogue(script)
    return found


def _dialogue(text: str) -> Iterator[Step]:
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        lines = part.splitlines()
        said = next(number for number, line in enumerate(lines) if not line.endswith("\\")) + 1
        yield Step("\n".join(lines[:said]), "\n".join(lines[said:]))


def matches(expected: str, actual: str) -> bool:
    """Whether an output is what the document says, blank ends of lines apart."""
    lines = []
    for line in expected.strip().splitlines():
        if line.strip() == "…":
            lines.append(r"(?:.*\n)*?")
        else:
            lines.append(".*".join(re.escape(part) for part in line.rstrip().split("…")) + r"\n")
    shown = "".join(f"{line.rstrip()}\n" for line in actual.strip().splitlines())
    return re.fullmatch("".join(lines), shown) is not None


def run(todo: list[Step], folder: Path, env: dict[str, str]) -> list[Ran]:
    """Runs the steps in one shell; stdout and stderr together, as a reader sees them."""
    after = f"code=$?; printf '\\n{_MARK}%d{_MARK}' $code; (exit $code)"
    script = "\n".join(f"{step.command}\n{after}" for step in todo)
    shell = subprocess.run(
        ["bash", "-c", script], cwd=folder, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, timeout=300, check=False,
    )  # fmt: skip
    parts = shell.stdout.decode(errors="replace").split(_MARK)
    return [Ran(step, parts[2 * at], int(parts[2 * at + 1])) for at, step in enumerate(todo)]


def complaints(ran: list[Ran]) -> Iterator[str]:
    """Where the document and the program disagree."""
    following = [*(each.step.command for each in ran[1:]), ""]
    for each, after in zip(ran, following, strict=True):
        shown = f"$ {each.step.command}\n{each.output.strip()}\n[exit code {each.code}]"
        if each.step.output is not None and not matches(each.step.output, each.output):
            yield f"{shown}\nbut the document says:\n{each.step.output}"
        elif each.code != 0 and (each.step.output is None or after != "echo $?"):
            yield f"{shown}\nfails, and the document does not say so"
