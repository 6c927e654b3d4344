"""The points that failed once: scenario, place and moments, a line of JSON each, taken again for ever."""

from __future__ import annotations

from collections.abc import Mapping
import json
from pathlib import Path

SEEDS = Path(__file__).parents[1] / "seeds" / "kill.jsonl"


def kept() -> list[str]:
    """All of them."""
    return SEEDS.read_text().splitlines() if SEEDS.exists() else []


def keep(seed: Mapping[str, object]) -> None:
    """One more."""
    with SEEDS.open("a") as file:
        file.write(json.dumps(seed) + "\n")
