"""A watch heals by itself: hints may be lost or cry wolf, stores and specs may break, nothing but a stop ends it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
import os
from pathlib import Path
import threading
import time
from typing import Any, Self

import pytest
from watch_script import Script

from reconcile.core.errors import SpecError, UsageError
from reconcile.core.events import Note
from reconcile.flow import watching
from reconcile.flow.applying import ApplyOptions, Hooks
from reconcile.flow.clock import RealClock
from reconcile.flow.planning import PlanOptions
from reconcile.flow.watching import WatchOptions, watch
from reconcile.scan.hints import FileHints
from reconcile.spec.load import build
from reconcile.spec.model import Spec


@pytest.fixture
def script(tmp_path):
    return Script(tmp_path)


def there(script: Script) -> set[str]:
    out = script.root / "out"
    return {p.relative_to(out).as_posix() for p in out.rglob("*") if p.is_file() and ".reconcile" not in p.parts}


@pytest.mark.hazard("W08")
def test_what_changed_while_nobody_watched_is_done_at_the_start(script):
    script.put("off.txt")()
    script.run()
    assert script.done == ["create off.txt"]
    assert script.told == ["in sync, 1 path"]


def test_a_hint_leads_to_a_pass_once_all_is_quiet(script):
    script.then(1.0, script.put("a.txt")).then(0.1).then(3.0, heard=False).run()
    assert script.done == ["create a.txt"]
    assert script.moments == [0.0, 1.3], "0.2 s after the last hint"


@pytest.mark.hazard("W06")
def test_a_burst_is_one_pass(script):
    script.then(1.0, script.put("a.txt"))
    for _ in range(1000):
        script.then(0.001)
    script.then(1.0, heard=False).run()
    assert len(script.moments) == 2


@pytest.mark.hazard("W07")
def test_an_endless_writer_does_not_starve_the_others(script):
    for number in range(100):
        script.then(0.1, script.put("log.txt", str(number)))
    script.run()
    assert script.moments == [0.0, 5.1], "max_delay after the first hint, although it never fell silent"


@pytest.mark.hazard("W01")
@pytest.mark.hazard("W03")
def test_a_lost_hint_costs_only_the_time_until_the_resync(script):
    script.then(1.0, script.put("new/dir/a.txt"), heard=False).then(400, heard=False).run()
    assert script.done == ["create new/dir/a.txt"]
    assert script.moments[:2] == [0.0, 300.0]


def test_the_flags_beat_the_spec(script):
    script.watch = {"debounce": "1s", "resync": "1m"}
    script.then(1.0).then(8.0, heard=False).then(4.0, heard=False).run(debounce_s=0.5, resync_s=10.0)
    assert script.moments == [0.0, 1.5, 11.5]


@pytest.mark.hazard("W02")
def test_without_hints_everything_is_looked_at_more_often_and_that_is_said(script):
    script.trouble = "OS file watch limit reached"
    script.then(5.0, script.put("a.txt"), heard=False).then(40.0, heard=False).run()
    assert script.done == ["create a.txt"]
    assert script.moments == [0.0, 30.0]
    told = [text for text in script.told if "OS file watch limit" in text]
    assert told == ["the system tells no changes (OS file watch limit reached): looking every 30.0 s instead"]


@pytest.mark.hazard("W10")
def test_a_source_that_goes_away_deletes_nothing_and_is_taken_up_again(script):
    script.put("a.txt")()
    gone = script.root / "gone"
    script.then(1.0, lambda: os.rename(script.root / "src", gone))
    script.then(20.0, lambda: os.rename(gone, script.root / "src"), heard=False).then(30.0, heard=False).run()
    assert there(script) == {"a.txt"}
    assert script.done == ["create a.txt"]
    retries = [text.rpartition("again in ")[2] for text in script.told if "again in" in text]
    assert retries == ["1.0 s", "2.0 s", "4.0 s", "8.0 s", "16.0 s"]
    assert script.told[-1] == "in sync, 1 path"
    assert len(script.followed) == 3, "another directory under the same name is followed anew"


def test_while_nothing_works_hints_do_not_hammer(script):
    script.then(1.0, lambda: os.rename(script.root / "src", script.root / "gone"))
    for _ in range(300):
        script.then(0.1)
    script.run()
    assert len([text for text in script.told if "again in" in text]) == 5


def test_a_path_that_cannot_be_settled_is_tried_again(script):
    odd = os.fsencode(script.root / "src") + b"/\xff.txt"
    Path(os.fsdecode(odd)).write_text("no key can be made of this")
    script.then(1.5, lambda: os.unlink(odd), heard=False).then(5.0, heard=False).run()
    assert [result.exit_code for result in script.results] == [7, 7, 0]
    assert script.moments == [0.0, 1.0, 3.0]
    assert script.told[-1] == "in sync, 0 paths"


def test_a_guard_halts_its_mapping_and_is_said_once(script):
    for number in range(20):
        script.put(f"{number}.txt")()

    def empty() -> None:
        for path in (script.root / "src").iterdir():
            path.unlink()

    script.then(1.0, empty).then(1.0).then(2.0).then(1.0, heard=False).run()
    assert len(there(script)) == 20
    assert [result.exit_code for result in script.results] == [0, 4, 4, 4]
    halted = [text for text in script.told if "halted" in text]
    assert len(halted) == len(set(halted))
    assert any("reconcile apply --allow empty-source:docs" in text for text in halted)


def test_a_guard_that_is_allowed_lets_go(script):
    for number in range(20):
        script.put(f"{number}.txt")()
    script.then(1.0, lambda: [path.unlink() for path in (script.root / "src").iterdir()]).then(1.0, heard=False)
    script.run(apply=ApplyOptions(PlanOptions(allowed=("deletes", "empty-source"))))
    assert there(script) == set()


def test_a_conflict_waits_and_is_said_once(script):
    script.put("a.txt", "one")()

    def both() -> None:
        script.put("a.txt", "mine!")()
        (script.root / "out" / "a.txt").write_text("theirs")

    script.then(1.0, both).then(1.0).then(1.0, heard=False).run()
    assert (script.root / "out" / "a.txt").read_text() == "theirs"
    assert sum("both sides changed" in text for text in script.told) == 1
    assert script.results[-1].exit_code == 3


@pytest.mark.hazard("W13")
def test_a_broken_edit_of_the_spec_keeps_the_old_one(script):
    file = script.root / "reconcile.yaml"
    file.write_text("first")
    sound = [False]

    def edit(text: str, *, good: bool) -> Callable[[], object]:
        def write() -> None:
            sound[0] = good
            file.write_text(text)

        return write

    def reload() -> Spec:
        if not sound[0]:
            raise SpecError(["reconcile.yaml:1:1: nonsense"])
        script.options = {"exclude": ["*.tmp"]}
        return script.spec()

    script.then(1.0, edit("broken!", good=False)).then(1.0, script.put("a.tmp")).then(1.0, heard=False)
    script.then(1.0, edit("sound again", good=True)).then(1.0, script.put("b.tmp")).then(1.0, heard=False)
    script.run(reload)
    assert script.done == ["create a.tmp", "forget a.tmp"]
    assert sum("nonsense" in text for text in script.told) == 1
    assert sum("taken over" in text for text in script.told) == 1


def test_while_nothing_works_an_edit_of_the_spec_is_worth_a_try(script):
    file = script.root / "reconcile.yaml"
    file.write_text("first")
    (script.root / "other").mkdir()

    def reload() -> Spec:
        script.options = {"source": "./other"}
        return script.spec()

    script.then(1.0, lambda: os.rename(script.root / "src", script.root / "gone")).then(100.0, heard=False)
    script.then(1.0, lambda: file.write_text("edited"), heard=file).then(1.0, heard=False).run(reload)
    assert script.moments[-1] < 103, "long before the next retry"
    assert script.told[-1].startswith("in sync")


def test_a_mapping_that_is_not_there_is_an_error_at_once(script):
    with pytest.raises(UsageError, match="no mapping"):
        script.run(reach=watching.Reach(("nope",)))


def test_a_lease_for_the_session_is_refused(script):
    script.watch = {"lease": "session"}
    with pytest.raises(UsageError, match="not built yet"):
        script.run()


def test_what_a_pass_writes_itself_is_no_hint(tmp_path):
    spec = build({"mappings": {"all": {"source": ".", "target": str(tmp_path / "o")}}}, root=tmp_path / "s")
    places = watching._Places.of(spec, watching.Reach())
    assert not places.concerns(str(tmp_path / "s/state/reconcile.db-wal"))
    assert not places.concerns(str(tmp_path / "s/.git/index"))
    assert places.concerns(str(tmp_path / "s/a.txt"))


def test_a_project_in_a_directory_called_state_is_heard(tmp_path):
    document = {"state": "reconcile.db", "mappings": {"all": {"source": "src", "target": str(tmp_path / "o")}}}
    places = watching._Places.of(build(document, root=tmp_path / "state"), watching.Reach())
    assert places.concerns(str(tmp_path / "state/src/a.txt"))


@dataclass
class Live:
    """A real watch in a thread."""

    root: Path
    events: list[Any] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Self:
        document = {"state": "src/state/reconcile.db", "mappings": {"docs": {"source": "src", "target": "out"}}}
        document |= {"watch": {"debounce": "50ms", "resync": "1h"}}
        spec = build(document, root=self.root)
        hooks = Hooks(self.events.append, lambda _: True, RealClock(), self.stop)
        self.thread = threading.Thread(target=watch, args=(spec, WatchOptions(), hooks), daemon=True)
        self.thread.start()
        self.until(lambda: any(isinstance(event, Note) for event in self.events))
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        self.thread.join(5)

    def until(self, holds: Callable[[], bool]) -> None:
        end = time.monotonic() + 8
        while not holds():
            assert time.monotonic() < end, self.events
            time.sleep(0.01)


def test_real_edits_reach_the_target(tmp_path):
    src, out = tmp_path / "src", tmp_path / "out"
    src.mkdir()
    (src / "a.txt").write_text("one")
    with Live(tmp_path) as live:
        (src / "a.tmp").write_text("two, saved atomically")
        os.replace(src / "a.tmp", src / "a.txt")
        live.until(lambda: (out / "a.txt").read_text() == "two, saved atomically")
        (src / "deep/er").mkdir(parents=True)
        (src / "deep/er/b.txt").write_text("b")
        live.until((out / "deep/er/b.txt").exists)
        os.rename(src / "deep", src / "moved")
        live.until(lambda: (out / "moved/er/b.txt").exists() and not (out / "deep/er/b.txt").exists())
        time.sleep(0.3)
        before = len(live.events)
        time.sleep(0.5)
        assert len(live.events) == before, "a pass must not wake itself, though the state lies in the source"
        began = time.monotonic()
        live.stop.set()
        live.thread.join(5)
        assert time.monotonic() - began < 0.3, "about 0.05 s, and room for a busy machine"


def test_hints_of_single_files_and_of_nothing_at_all(tmp_path):
    file, stop = tmp_path / "one.txt", threading.Event()
    file.write_text("1")
    hints = FileHints([str(tmp_path / "missing")], [str(file)], stop)
    file.write_text("22")
    assert hints.wait(5) == {str(file)}
    assert hints.wait(0.01) == frozenset()
    stop.set()
    began = time.monotonic()
    assert hints.wait(5) == frozenset()
    assert time.monotonic() - began < 0.3, "about 0.05 s, and room for a busy machine"
    hints.close()


@pytest.mark.hazard("W02")
def test_a_system_without_watches_left_is_told_apart(tmp_path, monkeypatch):
    import watchfiles

    asked = []

    def full(*roots: str, **_: Any) -> Any:
        asked.append(roots)
        raise OSError(28, "OS file watch limit reached")
        yield

    monkeypatch.setattr(watchfiles, "watch", full)
    hints = FileHints([str(tmp_path)], [], threading.Event())
    assert asked
    assert "limit reached" in hints.trouble
    assert hints.wait(0.01) == frozenset()
