"""`kill -9` of the real command at random moments of random work: the next apply, without help, makes it good."""

from __future__ import annotations

import os
from pathlib import Path
import random
import signal
import subprocess
import sys
import time

import pytest

from reconcile.core.path import has_control
from tests.flow.small_trees import CONTENTS, NAMES, fits, make

ROUNDS = int(os.environ.get("RECONCILE_KILLS", "5"))
SPEC = """\
version: 1
mappings:
  docs: {source: ./src, target: ./out, guard: {max_delete: off}}
"""
FILES = [f"many/{number % 7}/{number}" for number in range(60)]


def random_tree(chance: random.Random) -> dict[str, str]:
    """A few names in every position, and many more, so that there is time to die in."""
    tree: dict[str, str] = {}
    for name in chance.sample(NAMES, len(NAMES)):
        if fits(tree, name) and chance.random() < 0.7:
            tree[name] = chance.choice(CONTENTS)
    return tree | {name: f"{chance.randrange(40)} of many" for name in chance.sample(FILES, 40)}


def run(root: Path, *words: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "reconcile", "-C", str(root), *words]
    into = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    return subprocess.Popen(command, cwd=Path(__file__).parents[2], env=dict(os.environ), **into)


def finished(root: Path, *words: str) -> tuple[int, str]:
    with run(root, *words) as process:
        told, _ = process.communicate(timeout=60)
    return process.returncode, told.decode()


def killed(root: Path, after_s: float) -> bool:
    """Whether it died of it; False when it was done before."""
    with run(root, "apply", "--auto-approve") as process:
        time.sleep(after_s)
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=60)
    return process.returncode == -signal.SIGKILL


def files(root: Path) -> dict[str, str]:
    """What a reader of the target sees; what a dead copy left beside its key waits for `gc`."""
    found = {path.relative_to(root).as_posix(): path for path in root.rglob("*") if path.is_file()}
    return {key: path.read_text() for key, path in found.items() if not has_control(key)}


@pytest.mark.hazard("T15")
@pytest.mark.hazard("T16")
def test_kill_at_any_moment(tmp_path: Path) -> None:
    chance = random.Random(7)
    (tmp_path / "src").mkdir()
    (tmp_path / "reconcile.yaml").write_text(SPEC)
    make(tmp_path / "src", random_tree(chance))
    began = time.monotonic()
    assert finished(tmp_path, "apply", "--auto-approve")[0] == 0
    whole_s = time.monotonic() - began
    deaths = 0
    for _ in range(ROUNDS):
        tree = random_tree(chance)
        make(tmp_path / "src", tree)
        deaths += killed(tmp_path, chance.uniform(0.4, 1.2) * whole_s)
        if chance.random() < 0.3:
            deaths += killed(tmp_path, chance.uniform(0.4, 1.2) * whole_s)
        code, told = finished(tmp_path, "apply", "--auto-approve")
        assert code == 0, told
        assert files(tmp_path / "out") == tree
    assert deaths >= ROUNDS // 2
    code, told = finished(tmp_path, "plan", "--detailed-exitcode")
    assert code == 0, told
