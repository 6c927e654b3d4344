"""Where the command is run: no home, no UTF-8, nothing to write to, keys that only read, regexes that never end."""

from __future__ import annotations

from contextlib import ExitStack
import os
import pwd
import signal
import time

import pytest

from tests.crash.signalled import run_forked, start_forked
from tests.fakes.s3 import FakeS3
from tests.fakes.s3_faults import refuse
from tests.flow.unprivileged import unprivileged

HELD = ExitStack()
CHANGES = ("put", "post", "copy", "delete", "begin", "part", "complete", "abort", "bulk")


def obey_permissions():
    HELD.enter_context(unprivileged())


def nobody():
    """A container's user: no home in the environment, no name in the system."""

    def unknown(number):
        raise KeyError(number)

    pwd.getpwuid = unknown
    for name in ("HOME", "USER", "LOGNAME", "XDG_CACHE_HOME", "XDG_STATE_HOME"):
        os.environ.pop(name, None)


@pytest.mark.hazard("O08")
def test_a_user_without_a_name_and_a_home(place):
    done = run_forked(place.root, ["apply", "--auto-approve"], prepare=nobody)
    assert done.code == 0, done
    assert run_forked(place.root, ["plan"], prepare=nobody).said == "No changes. 3 paths in sync.\n"
    told = run_forked(place.root, ["sync", "./docs", "./else", "--auto-approve"], prepare=nobody)
    assert (told.code, "XDG_STATE_HOME" in told.said, "Traceback" in told.said) == (1, True, False), told


@pytest.mark.hazard("O08")
@pytest.mark.parametrize(
    "verb", [["apply", "--auto-approve"], ["plan"], ["status"], ["rollback", "--auto-approve"]], ids=str
)
def test_a_working_directory_that_is_gone_is_not_asked_for(place, verb):
    place.applied()
    gone = place.root / "gone"
    gone.mkdir()

    def leave():
        os.chdir(gone)
        gone.rmdir()

    done = run_forked(place.root, ["-C", str(place.root), *verb], prepare=leave)
    assert done.code == 0, done


@pytest.mark.hazard("O08")
@pytest.mark.parametrize("words", [["plan"], ["apply", "--auto-approve"], ["status"], ["ls", "docs"], ["--help"]])
def test_no_utf8_anywhere(place, words):
    place.applied()
    place.write("docs/zürich-\u65e5\u672c", "x")
    environ = {"LC_ALL": "C", "LANG": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii"}
    done = run_forked(place.root, words, prepare=lambda: os.environ.update(environ))
    assert (done.code, "Traceback" in done.said) == (0, False), done


@pytest.mark.hazard("O08", "S18")
def test_nothing_can_be_written_where_it_runs(place):
    """A plan needs nothing; an apply says what it could not write, and has done nothing."""
    place.applied()
    place.write("docs/new", "x")
    rooms = [place.root, place.root / "state", *(p for p in place.root.rglob("*") if p.is_dir())]
    for room in rooms:
        room.chmod(0o500)
    try:
        plan = run_forked(place.root, ["plan", "--json"], prepare=obey_permissions)
        done = run_forked(place.root, ["apply", "--auto-approve"], prepare=obey_permissions)
    finally:
        for room in rooms:
            room.chmod(0o700)
    assert plan.code == 0, plan
    assert '"create":1' in plan.said
    assert done.code in (1, 7), done
    assert "Traceback" not in done.said
    assert place.there() == {"a.txt", "b.txt", "sub/c.txt"}
    place.applied()


@pytest.mark.hazard("S18")
@pytest.mark.parametrize("state", ["state/reconcile.db", "lake:state"])
def test_a_plan_needs_keys_that_only_read(place, state):
    """As a pull request from a fork would have them: every changing request is refused, and none is made."""
    with FakeS3() as s3:
        place.write(
            "reconcile.yaml",
            f"version: 1\nstate: {state}\n"
            f"stores: {{lake: {{url: 's3://bucket', endpoint: '{s3.endpoint}', region: us-east-1}}}}\n"
            "mappings:\n  docs: {source: ./docs, target: 'lake:there'}\n",
        )
        place.applied()
        place.write("docs/a.txt", "edited")
        place.write("docs/new.txt", "new")
        s3.log.clear()
        faults = [s3.fault(op, refuse(403, "AccessDenied"), times=1_000) for op in CHANGES]
        told = place("plan", "--detailed-exitcode", "--json")
        assert (told.code, told.json["summary"]["update"], told.json["summary"]["create"]) == (2, 1, 1), told
        for words in (("plan", "--out", "saved"), ("status",), ("why", "a.txt"), ("ls", "docs"), ("conflicts",)):
            place.ok(*words)
        assert sum(fault.seen for fault in faults) == 0
        assert {request.method for request in s3.log} <= {"GET", "HEAD"}


@pytest.mark.hazard("S17")
def test_a_regex_that_never_ends_can_be_stopped_and_has_changed_nothing(place):
    """`patterns` are Python's: what they cost is their author's business. Ctrl-C ends them, the lock is free."""
    place.write(
        "reconcile.yaml",
        "version: 1\nmappings:\n  docs: {source: ./docs, target: ./there, patterns: {or: ['(a+)+$']}}\n",
    )
    place.write(f"docs/{'a' * 60}!", "x")
    said = place.root / "said"
    pid = start_forked(place.root, ["apply", "--auto-approve"], said, place.root / "steps")
    time.sleep(1.5)
    assert os.waitpid(pid, os.WNOHANG) == (0, 0), "it is in there"
    os.kill(pid, signal.SIGINT)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 130
    assert "Traceback" not in said.read_text()
    assert not (place.root / "there").exists()
    assert run_forked(place.root, ["lock", "show"]).said == "Lock free.\n"
