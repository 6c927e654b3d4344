"""Campaigns in parts, and that a part goes on where the last one ended."""

from __future__ import annotations

from collections import Counter
import os
from pathlib import Path
import signal
from threading import Event
import time

import pytest

from tests.campaigns.ledger import Part, add, goes_on_at, parts, sums, today
from tests.postgres import postgres  # noqa: F401 - a fixture
from tests.servers import seaweed_s3  # noqa: F401 - a fixture

ROOT = Path(__file__).parents[2]


@pytest.mark.campaign
def test_a_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Of the campaign `CAMPAIGN`, for `CAMPAIGN_S` seconds, or until somebody asks for an end: after the piece."""
    from tests.campaigns.pieces import CAMPAIGNS, Around  # loads all that is tried

    name, budget_s = os.environ.get("CAMPAIGN", "planner"), float(os.environ.get("CAMPAIGN_S", "600"))
    first = after = goes_on_at(name)
    counts: Counter[str] = Counter()
    began, failed = time.monotonic(), ""
    asked_to_end = Event()
    for asking in (signal.SIGINT, signal.SIGTERM):
        signal.signal(asking, lambda *_: asked_to_end.set())
    try:
        for told in CAMPAIGNS[name](first, Around(tmp_path, monkeypatch, request)):
            counts.update(told)
            after += 1
            if asked_to_end.is_set() or time.monotonic() - began > budget_s:
                break
    except BaseException as error:
        failed = f"piece {after}: {error}".replace(f"{ROOT}/", "").replace(f"{tmp_path}/", "")[:2_000]
        raise
    finally:
        add(Part(name, today(), first, after, round(time.monotonic() - began), dict(counts), failed))


def test_a_part_goes_on_where_the_last_one_ended(tmp_path: Path) -> None:
    book = tmp_path / "parts.jsonl"
    assert (parts(book), goes_on_at("kill", book), sums(book)) == ([], 0, [])
    add(Part("kill", "2026-01-01", 0, 3, 9, {"points": 60, "deaths": 90}), book)
    add(Part("power", "2026-01-01", 0, 1, 9, {"images": 50}, "piece 1: a last copy is lost"), book)
    add(Part("kill", "2026-01-02", 3, 4, 9, {"points": 20, "deaths": 1_000}), book)
    assert (goes_on_at("kill", book), goes_on_at("power", book)) == (4, 1)
    assert sums(book) == ["kill: 4 pieces: 80 points, 1,090 deaths", "power: 1 piece: 50 images"]
