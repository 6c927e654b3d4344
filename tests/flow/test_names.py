"""Names a target cannot take are told by the plan."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.flow.world import World
from tests.servers import KEY_ID, SECRET, Server, moto_s3

__all__ = ["moto_s3"]


def test_a_backslash_is_refused_by_the_plan_and_the_rest_goes(
    moto_s3: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"ENDPOINT_URL": moto_s3.endpoint, "ACCESS_KEY_ID": KEY_ID, "SECRET_ACCESS_KEY": SECRET}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    world = World(tmp_path, f"s3://{moto_s3.bucket()}/names")
    world.write("a\\b", "1")
    world.write("c", "2")
    plan = world.plan()
    assert world.told(plan) == ["create c"]
    assert [(problem.key, problem.side) for _, problem in plan.problems] == [("a\\b", "target")]
    assert world.apply().exit_code == 7
    assert world.there() == {"c": "2"}
