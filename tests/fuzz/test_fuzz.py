"""Whatever bytes come in, an honest answer or an honest error comes out.

By default every target reads its corpus, a few hundred mutants, and all that ever failed (`tests/seeds/fuzz/`); the
campaign `fuzz` gives each as many minutes as wanted.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz.mutate import mutant
from tests.fuzz.targets import TARGETS, Target

KEPT = Path(__file__).parents[1] / "seeds" / "fuzz"


@pytest.fixture
def target(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Target:
    monkeypatch.setenv("RECONCILE_CACHE_DIR", str(tmp_path / "cache"))
    return TARGETS[request.param](tmp_path)


each = pytest.mark.parametrize("target", TARGETS, indirect=True, ids=lambda name: name)


def tried(target: Target, name: str, data: bytes) -> None:
    """Tries one input; one that fails is kept for ever."""
    try:
        target.check(data)
    except Exception:
        KEPT.mkdir(parents=True, exist_ok=True)
        (KEPT / name).write_bytes(data)
        raise


@pytest.mark.hazard("S02", "S03")
@each
def test_the_corpus_and_its_children(target: Target, request: pytest.FixtureRequest) -> None:
    name = request.node.callspec.params["target"].replace(" ", "_")
    for data in target.corpus:
        target.check(data)
    for kept in sorted(KEPT.glob(f"{name}-*")):
        target.check(kept.read_bytes())
    for seed in range(target.mutants):
        tried(target, f"{name}-{seed}", mutant(target.corpus, seed))
