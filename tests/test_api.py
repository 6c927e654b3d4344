"""The library: values in, values out, and nothing raised once anything was tried."""

from __future__ import annotations

from pathlib import Path
import subprocess
import sys
import threading

import pytest

import reconcile
from reconcile.core.change import Action
from reconcile.core.errors import ReconcileError, SpecError, StalePlanError, UsageError
from reconcile.core.events import ActionEnd, Note

ROOT = Path(__file__).parents[1]
USER = """
import threading
import reconcile

spec = reconcile.load_spec("reconcile.yaml", variables={"env": "prod"})
built = reconcile.Spec(mappings={"docs": {"source": "./docs", "target": "s3://acme/docs"}}, state="s.db")
plan: reconcile.Plan = reconcile.plan(built, allow=("deletes",), mapping="docs")
plan.save("plan")
report = reconcile.apply(reconcile.load_plan("plan", spec), select=lambda c: c.size > 3, on_event=print, stop=None)
print(report.success_count + report.skip_count + report.failure_count + report.total_bytes + report.exit_code)
print([outcome.key for outcome in report.outcomes], [change.key for change in plan.changes()])
reconcile.watch(spec, stop=threading.Event())
print(reconcile.status(spec).mappings[0].last_success, reconcile.get_supported_stores()["s3"], reconcile.__version__)
"""


@pytest.fixture
def spec(tmp_path):
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.txt").write_text("a")
    (tmp_path / "docs" / "b.txt").write_text("bb")
    return reconcile.Spec(mappings={"docs": {"source": "./docs", "target": "./out"}}, root=tmp_path)


def test_a_plan_is_a_value_and_is_applied_as_it_is(spec, tmp_path):
    plan = reconcile.plan(spec)
    assert [(change.action, change.key) for change in plan.changes()] == [("create", "a.txt"), ("create", "b.txt")]
    assert not (tmp_path / "out").exists(), "planning changes nothing"
    assert not (tmp_path / "state").exists()
    events = []
    report = reconcile.apply(plan, on_event=events.append)
    assert (report.success_count, report.skip_count, report.failure_count) == (2, 0, 0)
    assert (report.total_bytes, report.exit_code) == (3, 0)
    assert sorted(outcome.key for outcome in report.outcomes) == ["a.txt", "b.txt"]
    assert sorted(event.path for event in events if isinstance(event, ActionEnd)) == ["a.txt", "b.txt"]
    assert (tmp_path / "out" / "b.txt").read_text() == "bb"
    assert reconcile.plan(spec).counts.changes == 0


def test_a_plan_that_no_longer_fits_is_refused(spec, tmp_path):
    plan = reconcile.plan(spec)
    (tmp_path / "docs" / "a.txt").write_text("something else")
    with pytest.raises(StalePlanError):
        reconcile.apply(plan)
    assert not (tmp_path / "out" / "b.txt").exists()
    again = reconcile.plan(spec)
    assert reconcile.apply(again).exit_code == 0
    with pytest.raises(StalePlanError):
        reconcile.apply(again)


def test_a_saved_plan_finds_its_spec_again(tmp_path):
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.txt").write_text("a")
    file = tmp_path / "reconcile.yaml"
    file.write_text("version: 1\nmappings:\n  docs: {source: ./docs, target: ./out}\n")
    plan = reconcile.plan(reconcile.load_spec(tmp_path))
    plan.save(tmp_path / "plan")
    loaded = reconcile.load_plan(tmp_path / "plan")
    assert [change.digest is not None for change in loaded.changes()] == [True]
    assert reconcile.apply(loaded).exit_code == 0
    assert (tmp_path / "out" / "a.txt").read_text() == "a"
    with pytest.raises(StalePlanError, match=r"used it already|moved on"):
        reconcile.apply(loaded)
    with pytest.raises(UsageError, match="exists"):
        reconcile.plan(reconcile.load_spec(file)).save(tmp_path / "plan")


def test_a_plan_of_a_spec_in_code_is_loaded_with_it(spec, tmp_path):
    reconcile.plan(spec).save(tmp_path / "plan")
    with pytest.raises(UsageError, match="built in code"):
        reconcile.apply(reconcile.load_plan(tmp_path / "plan"))
    assert reconcile.apply(reconcile.load_plan(tmp_path / "plan", spec)).success_count == 2


def test_what_changed_since_cannot_be_saved(spec, tmp_path):
    plan = reconcile.plan(spec)
    (tmp_path / "docs" / "c.txt").write_text("new")
    with pytest.raises(StalePlanError, match="changed since"):
        plan.save(tmp_path / "plan")
    assert not (tmp_path / "plan").exists()


@pytest.mark.parametrize("select", [lambda change: change.key == "b.txt", "ids"])
def test_only_what_is_selected_is_done(spec, tmp_path, select):
    plan = reconcile.plan(spec)
    chosen = [change.id for change in plan.changes() if change.key == "b.txt"] if select == "ids" else select
    report = reconcile.apply(plan, select=chosen)
    assert report.success_count == 1
    assert sorted(path.name for path in (tmp_path / "out").glob("*.txt")) == ["b.txt"]


def test_a_stop_that_is_set_does_nothing(spec, tmp_path):
    stop = threading.Event()
    stop.set()
    report = reconcile.apply(reconcile.plan(spec), stop=stop)
    assert (report.exit_code, report.stopped, report.success_count) == (130, True, 0)


def test_permissions_and_single_mappings(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        for number in range(12):
            (tmp_path / name / f"{number}.txt").write_text(name)
    mappings = {name: {"source": name, "target": f"out/{name}"} for name in ("one", "two")}
    spec = reconcile.Spec(mappings=mappings, root=tmp_path)
    assert [part.name for part in reconcile.plan(spec, mapping="two").mappings] == ["two"]
    assert reconcile.apply(reconcile.plan(spec)).success_count == 24
    for path in (tmp_path / "one").iterdir():
        path.unlink()
    refused = reconcile.apply(reconcile.plan(spec))
    assert (refused.exit_code, refused.success_count) == (4, 0)
    allowed = reconcile.plan(spec, allow=("deletes", "empty-source"))
    assert {change.action for change in allowed.changes()} == {Action.DELETE}
    assert reconcile.apply(allowed).success_count == 12


def test_a_watch_ends_when_it_is_told(spec, tmp_path):
    stop, results = threading.Event(), []

    def hear(event: object) -> None:
        if isinstance(event, Note):
            stop.set()

    reconcile.watch(spec, stop=stop, on_event=hear, on_result=results.append)
    assert [result.success_count for result in results] == [2]
    assert (tmp_path / "out" / "a.txt").exists()


def test_status_and_reset(spec, tmp_path):
    assert reconcile.status(spec).mappings[0].last_success == 0.0
    reconcile.apply(reconcile.plan(spec))
    told = reconcile.status(spec)
    assert told.lock is None
    assert told.last is not None
    assert told.mappings[0].records == 2
    assert told.mappings[0].last_success > 0
    with pytest.raises(UsageError, match="remembered"):
        reconcile.reset(spec, confirm=False)
    reconcile.reset(spec, confirm=True)
    assert (tmp_path / "out" / "a.txt").exists()
    assert {change.action for change in reconcile.plan(spec).changes()} == {Action.ADOPT}


def test_a_run_is_undone(spec, tmp_path):
    reconcile.apply(reconcile.plan(spec))
    (tmp_path / "docs" / "a.txt").write_text("edited")
    reconcile.apply(reconcile.plan(spec))
    events = []
    report = reconcile.rollback(spec, hold=False, mapping="docs", on_event=events.append)
    assert (report.exit_code, report.undoes, report.hold) == (0, 2, "")
    assert [(one.key, one.reason) for one in report.outcomes] == [("a.txt", "restored")]
    assert (tmp_path / "out" / "a.txt").read_text() != "edited"
    assert events
    with pytest.raises(UsageError, match="there is no run 9"):
        reconcile.rollback(spec, 9)


def test_a_spec_in_code_is_checked_like_a_file(tmp_path):
    with pytest.raises(SpecError, match="mappings/docs"):
        reconcile.Spec(mappings={"docs": {"source": "./docs", "taget": "./out"}}, root=tmp_path)
    with pytest.raises(ReconcileError):
        reconcile.load_spec(tmp_path / "missing.yaml")


def test_the_stores_are_named():
    assert {"file", "memory", "s3", "gs", "az"} <= reconcile.get_supported_stores().keys()


def test_the_package_is_cheap_and_names_what_it_offers():
    told = "import reconcile, sys; print(reconcile.__version__, [n for n in sys.modules if n.startswith('reconcile')])"
    said = subprocess.run([sys.executable, "-c", told], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert said.strip() == f"{reconcile.__version__} ['reconcile']"
    assert set(reconcile.__all__) <= set(dir(reconcile))
    with pytest.raises(AttributeError, match="nope"):
        reconcile.nope  # noqa: B018


def test_everything_that_is_offered_is_in_the_stub():
    stub = (ROOT / "reconcile" / "__init__.pyi").read_text(encoding="utf-8")
    assert {line.rpartition(" ")[2] for line in stub.splitlines() if line.startswith("from")} == reconcile._OFFERED


def test_type_checkers_understand_it(tmp_path):
    file = tmp_path / "user.py"
    file.write_text(USER)
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path / "cache"), str(file)]
    checked = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout
    file.write_text("import reconcile\nreconcile.plan(5)\n")
    assert "arg-type" in subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout
