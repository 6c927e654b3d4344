"""What the wire refuses before it opens anything."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconcile.core.errors import UsageError
from reconcile.flow.clock import RealClock
from reconcile.flow.wire import wire
from reconcile.spec.load import build
from reconcile.spec.model import Spec
from tests.flow.world import World


def spec_with(root: Path, state: str, unmanaged: str) -> Spec:
    mapping = {"source": str(root), "target": "memory://wire/docs", "unmanaged": unmanaged}
    return build({"state": state, "mappings": {"docs": mapping}}, root=root)


def test_a_shared_state_is_never_an_unmanaged_path(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="would delete the state"):
        wire(spec_with(tmp_path, "memory://wire/docs/state.db", "delete"), write=False, clock=RealClock())


@pytest.mark.parametrize(("state", "unmanaged"), [("docs/state.db", "keep"), ("state/reconcile.db", "delete")])
def test_a_shared_state_beside_or_unthreatened_is_fine(tmp_path: Path, state: str, unmanaged: str) -> None:
    wire(spec_with(tmp_path, f"memory://wire/{state}", unmanaged), write=False, clock=RealClock()).close()


def test_a_state_in_a_directory_of_the_network_is_a_shared_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reconcile.flow.wire.is_local", lambda _path: False)
    world = World(tmp_path, state=str(tmp_path / "mounted"))
    world.put(a="1")
    assert world.told() == ["create a"]
    assert not (tmp_path / "mounted").exists()
    world.settled()
    assert sorted(path.name for path in (tmp_path / "mounted" / "log").iterdir())[0] == "000000000001"
