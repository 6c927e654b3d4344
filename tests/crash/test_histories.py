"""Pairs and triples of real applies on one state, with pauses, `kill -9` and broken locks: what must hold, holds.

Never two writers; each record true; the next apply converges, where no person wrote and no living holder was broken;
what a stranger wrote is still there. Many more are in the campaign `histories`. A seed that
once failed stands in `tests/seeds/histories.txt` and is played with every commit.
"""

from __future__ import annotations

from collections import Counter
import json
import os
from pathlib import Path
import subprocess
import sys

import pytest

from tests.servers import KEY_ID, SECRET, Server, seaweed_s3  # noqa: F401 - a fixture

ROOT = Path(__file__).parents[2]
SEEDS = ROOT / "tests" / "seeds" / "histories.txt"
PER_COMMIT = {"local": 30, "shared": 10, "s3": 10}


def played(kind: str, first: int, count: int, server: Server | None, tmp_path: Path) -> Counter[str]:
    """Plays so many seeds in a process of one thread; returns what happened, or fails with what went wrong."""
    where = [server.endpoint, server.shared] if server is not None else []
    told = subprocess.run(
        [sys.executable, "-m", "tests.crash.histories", kind, str(first), str(count), *where],
        cwd=ROOT,
        env={**os.environ, "AWS_ACCESS_KEY_ID": KEY_ID, "AWS_SECRET_ACCESS_KEY": SECRET, "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    lines = [json.loads(line) for line in told.stdout.splitlines()]
    wrong = [f"{line['kind']} {line['seed']}: {line['wrong']}" for line in lines if "wrong" in line]
    assert told.returncode == 0, told.stderr
    assert not wrong, "\n".join(wrong)
    counts = Counter({name: number for name, number in lines[-1].items() if isinstance(number, int)})
    assert counts["played"] == count
    return counts


def server_for(kind: str, request: pytest.FixtureRequest) -> Server | None:
    return None if kind == "local" else request.getfixturevalue("seaweed_s3")


@pytest.mark.hazard("T07")
@pytest.mark.hazard("T08")
@pytest.mark.hazard("T10")
@pytest.mark.hazard("T16")
@pytest.mark.parametrize("kind", PER_COMMIT)
def test_histories(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    count = PER_COMMIT[kind]
    counts = played(kind, 0, count, server_for(kind, request), tmp_path)
    assert counts["apply stopped"] > count // 4
    assert counts["apply -9"] > count // 8
    assert counts["fenced"] > 0
    assert counts["unlock 0"] > 0


def beyond() -> list[str]:
    """The seeds that the histories above have not played already."""
    return [seed for seed in SEEDS.read_text().splitlines() if int(seed.split()[1]) >= PER_COMMIT[seed.split()[0]]]


@pytest.mark.parametrize("seed", beyond())
def test_a_seed_that_once_failed(seed: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    kind, number = seed.split()[:2]
    played(kind, int(number), 1, server_for(kind, request), tmp_path)
