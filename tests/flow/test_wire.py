"""What the wire refuses before it opens anything."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from reconcile.core.errors import BusyError, UsageError
from reconcile.flow.clock import RealClock
from reconcile.flow.wire import state_of, wire
from reconcile.spec.load import build
from reconcile.spec.model import Spec
from reconcile.state.lease import acquire
from reconcile.stores.memory import MemoryStore
from reconcile.stores.wrapper import Wrapper
from tests.flow.world import World
from tests.state.state_kit import FakeClock


def spec_with(root: Path, state: str, unmanaged: str) -> Spec:
    mapping = {"source": str(root), "target": "memory://wire/docs", "unmanaged": unmanaged}
    return build({"state": state, "mappings": {"docs": mapping}}, root=root)


def test_a_shared_state_is_never_an_unmanaged_path(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="would delete the state"):
        wire(spec_with(tmp_path, "memory://wire/docs/state.db", "delete"), write=False, clock=RealClock())


@pytest.mark.hazard("N11")
@pytest.mark.parametrize(
    ("state", "target"), [("docs", "docs"), ("team", "team/log"), ("team", "team/state/docs"), ("team", "team/beat")]
)
def test_nothing_goes_among_the_files_of_a_shared_state(tmp_path: Path, state: str, target: str) -> None:
    """A file that is called like a commit would be taken for one."""
    mapping = {"source": str(tmp_path), "target": f"memory://wire/{target}"}
    spec = build({"state": f"memory://wire/{state}", "mappings": {"docs": mapping}}, root=tmp_path)
    with pytest.raises(UsageError, match="mapping docs: its target is where the state is kept; give the state"):
        wire(spec, write=False, clock=RealClock())


@pytest.mark.parametrize(
    ("state", "unmanaged"), [("docs/state.db", "keep"), ("state/reconcile.db", "delete"), ("", "keep")]
)
def test_a_shared_state_beside_or_unthreatened_is_fine(tmp_path: Path, state: str, unmanaged: str) -> None:
    wire(spec_with(tmp_path, f"memory://wire/{state}", unmanaged), write=False, clock=RealClock()).close()


def test_a_state_in_a_directory_of_the_network_is_a_shared_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reconcile.flow.wire.is_local", lambda _path: False)
    world = World(tmp_path, state=str(tmp_path / "mounted"))
    world.put(a="1")
    assert world.told() == ["create a"]
    assert not (tmp_path / "mounted").exists()
    world.settled()
    assert min(path.name for path in (tmp_path / "mounted" / "log").iterdir()) == "000000000001"


class BusyOnce(Wrapper):
    """Refuses the first call of every kind, as a throttled service does."""

    def __init__(self, inner):
        super().__init__(inner)
        self.refused = set()

    def _call(self, verb, key, run):
        if verb not in self.refused:
            self.refused.add(verb)
            raise BusyError("slow down", op=verb, path=key, retry_after_s=0)
        return run()


@pytest.mark.hazard("R07")
def test_a_shared_state_waits_out_a_busy_store(tmp_path, monkeypatch):
    busy = BusyOnce(MemoryStore())
    monkeypatch.setattr("reconcile.flow.wire.open_store", lambda *_, **__: busy)
    spec = build({"state": "s3://team/state", "mappings": {"docs": {"source": "a", "target": "b"}}}, root=tmp_path)
    with closing(state_of(spec, write=True)) as state:
        acquire(state, "apply", clock=FakeClock()).release()
    assert {"list", "write", "read"} <= busy.refused
