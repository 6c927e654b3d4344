"""What volsync's users rely on, and what it did to them: kept, and not done."""

from __future__ import annotations

from hashlib import sha256
import os
import time

import pytest

import reconcile
from reconcile.core.errors import NotFoundError, UsageError
from reconcile.core.fingerprint import GRANULE_NS
from reconcile.flow.reading import LocalReader
from tests.fakes.databricks import Emulator
from tests.fakes.databricks.faults import refuse
from tests.flow.databricks_desk import desk_at

VOLUME = "/Volumes/main/reports/landing/"
HASHED = '    layout: "{stem}_{sha256}{suffix}"\n    delete: false\n'
PLAIN = """\
version: 1
mappings:
  documents:
    source: ./documents
    target: /Volumes/main/reports/landing
    create_target: true
    include: ["*.*"]
    exclude: ["*draft*"]
"""
FILES = {"a.txt": "alpha\n", "sub/b.tar.gz": "beta\n", "sub/deep/.env": "gamma\n"}


def hashed(name: str, text: str) -> str:
    """The name volsync gave it."""
    stem, dot, suffix = name.rpartition("/")[2].rpartition(".")
    stem, dot, suffix = (stem, dot, suffix) if stem else (dot + suffix, "", "")
    return f"{stem}_{sha256(text.encode()).hexdigest()}{dot}{suffix}"


def all_hashed(files=FILES):
    return {hashed(name, text): text for name, text in files.items()}


@pytest.fixture
def desk(tmp_path, monkeypatch, capsys):
    """Documents to be sent under their hashes, and a catalog without a volume."""
    with Emulator() as workspace:
        desk = desk_at(tmp_path, monkeypatch, capsys, workspace)
        workspace.catalog.add("main")
        for name, text in FILES.items():
            desk.write(f"documents/{name}", text)
        desk.write("reconcile.yaml", PLAIN + HASHED)
        yield desk


@pytest.fixture
def sent(desk):
    """The same after the first run."""
    desk.ok("apply", "--auto-approve")
    assert desk.holds(VOLUME) == all_hashed()
    desk.workspace.log.clear()
    return desk


def puts(desk):
    return desk.workspace.log.of("PUT", "/api/2.0/fs/files/")


# --- what a replacement must keep


def test_the_second_run_sends_nothing_and_resend_sends_all(sent):
    assert sent.ok("apply", "--auto-approve").last == "No changes. 3 paths in sync."
    assert sent.changes() == []
    sent.ok("apply", "--auto-approve", "--resend")
    assert len(puts(sent)) == 3
    assert sent.holds(VOLUME) == all_hashed()


def test_patterns_mind_the_case_and_what_they_leave_out_is_not_counted(desk):
    desk.write("documents/Report.PDF", "one\n")
    desk.write("documents/report2.pdf", "two\n")
    desk.write("documents/my draft.pdf", "three\n")
    desk.write("reconcile.yaml", PLAIN.replace('"*.*"', '"*.pdf"') + HASHED)
    desk.ok("apply", "--auto-approve")
    assert desk.holds(VOLUME) == all_hashed({"report2.pdf": "two\n"})
    result = reconcile.apply(reconcile.plan(reconcile.load_spec()))
    assert (result.success_count, result.skip_count, result.failure_count) == (0, 1, 0)


@pytest.mark.hazard("P10")
def test_a_dry_run_lists_every_file_and_sends_nothing(desk):
    told = desk.ok("plan").out
    assert "will create" in told
    assert not [name for name in all_hashed() if name not in told]
    assert "3 to create" in told.splitlines()[-1]
    assert "3 to create" in desk.ok("apply", "--dry-run").out
    assert desk.changes() == []
    assert ("main", "reports") not in desk.workspace.catalog.containers


def test_a_volume_that_is_not_there_is_told_and_nothing_is_made(desk):
    desk.write("reconcile.yaml", PLAIN.replace("create_target: true", "create_target: false"))
    said = desk.apply()
    assert (said.code, "reconcile create documents" in said.err) == (1, True)
    with pytest.raises(NotFoundError):
        reconcile.plan(reconcile.load_spec())
    assert desk.changes() == []


def test_a_directory_that_is_not_there_is_told(desk):
    desk.write("reconcile.yaml", PLAIN.replace("./documents", "./nowhere"))
    assert desk.apply().code == 1
    with pytest.raises(NotFoundError):
        reconcile.plan(reconcile.load_spec())


@pytest.mark.hazard("O02")
def test_what_fails_is_told_file_by_file_and_the_rest_arrives(desk):
    fault = desk.workspace.faults.add(
        refuse(403, "PERMISSION_DENIED", "no WRITE"), "PUT", about="/b\\.tar_", times=None
    )
    seen = {}
    plan = reconcile.plan(reconcile.load_spec())
    result = reconcile.apply(plan, on_event=lambda event: seen.setdefault(type(event).__name__, event))
    assert fault.fired
    assert (result.success_count, result.failure_count, result.exit_code) == (2, 1, 7)
    (failed,) = (outcome for outcome in result.outcomes if outcome.outcome == "failed")
    assert failed.key == hashed("b.tar.gz", "beta\n")
    assert "no WRITE" in failed.error
    assert result.total_bytes == len("alpha\n" + "gamma\n")
    assert result.seconds > 0
    sources = {change.id: change.source_path for change in plan.changes()}
    done = {sources[outcome.id] for outcome in result.outcomes if outcome.outcome == "done"}
    assert done == {"a.txt", "sub/deep/.env"}
    said = desk.apply()
    assert (said.code, "no WRITE" in said.out, "Left: 1 failed" in said.last) == (7, True, True)


def test_the_names_are_those_of_volsync(sent):
    beta, gamma = (sha256(text).hexdigest() for text in (b"beta\n", b"gamma\n"))
    assert {f"b.tar_{beta}.gz", f".env_{gamma}"} <= set(sent.holds(VOLUME))


def test_create_makes_schema_and_volume_once(desk):
    assert "Made" in desk.ok("create", VOLUME).out
    assert "is there" in desk.ok("create", VOLUME).out
    assert ("main", "reports", "landing") in desk.workspace.catalog.volumes


def test_ls_tells_sizes_and_totals(sent):
    assert sent.ok("ls", "documents").last == "3 files, 17 B"
    assert sent.ok("ls", VOLUME).last == "3 files, 17 B"


def test_one_line_does_it_without_a_spec(desk):
    settings = ["layout='{stem}_{sha256}{suffix}'", "delete=false", "create_target=true", "concurrency=5"]
    words = [word for setting in settings for word in ("--set", setting)]
    desk.ok("sync", "./documents", VOLUME, "--auto-approve", *words)
    assert desk.holds(VOLUME) == all_hashed()


def test_a_ready_client_may_be_given(desk, monkeypatch):
    """Whoever holds a client of the SDK (in a notebook, for another user) gives it, and nothing else is looked for."""
    from databricks.sdk import WorkspaceClient

    client = WorkspaceClient(config=desk.workspace.config())
    monkeypatch.delenv("DATABRICKS_CONFIG_FILE")
    desk.workspace.catalog.add("main", "reports", "landing")
    desk.workspace.catalog.add("main", "ops", "state")
    mapping = {"source": "./documents", "target": "dbx:", "layout": "{stem}_{sha256}{suffix}"}
    stores = {"dbx": {"url": VOLUME}, "ops": {"url": "/Volumes/main/ops/state"}}
    clients = dict.fromkeys(stores, client)
    spec = reconcile.Spec({"documents": mapping}, stores=stores, clients=clients, state="ops:x.db")
    result = reconcile.apply(reconcile.plan(spec))
    assert (result.success_count, result.exit_code) == (3, 0)
    assert desk.holds(VOLUME) == all_hashed()
    assert desk.workspace.paths("/Volumes/main/ops/state/x.db"), "the state is shared by it, too"
    with pytest.raises(UsageError, match="no store `lake`"):
        reconcile.load_spec(clients={"lake": client})


# --- what it did to them


def test_a_tree_stays_a_tree_unless_the_layout_says_otherwise(desk):
    desk.write("reconcile.yaml", PLAIN)
    desk.write("documents/x/a.txt", "one\n")
    desk.write("documents/y/a.txt", "two\n")
    desk.ok("apply", "--auto-approve")
    assert desk.holds(VOLUME) == FILES | {"x/a.txt": "one\n", "y/a.txt": "two\n"}


def test_a_flat_name_that_two_files_would_share_is_a_plan_error(desk):
    desk.write("documents/x/a.txt", "another\n")
    desk.write("reconcile.yaml", PLAIN + '    layout: "{name}"\n')
    said = desk.apply()
    assert (said.code, "would both become a.txt" in said.err) == (1, True)
    assert puts(desk) == []


def test_a_rename_and_a_copy_arrive(desk):
    desk.write("reconcile.yaml", PLAIN)
    desk.ok("apply", "--auto-approve")
    (desk.root / "documents/a.txt").rename(desk.root / "documents/renamed.txt")
    desk.write("documents/copy.tar.gz", FILES["sub/b.tar.gz"])
    desk.ok("apply", "--auto-approve")
    wanted = {name: text for name, text in FILES.items() if name != "a.txt"}
    assert desk.holds(VOLUME) == wanted | {"renamed.txt": "alpha\n", "copy.tar.gz": "beta\n"}


def test_a_rename_arrives_under_its_own_name_in_the_hashed_layout_too(sent):
    (sent.root / "documents/a.txt").rename(sent.root / "documents/renamed.txt")
    sent.ok("apply", "--auto-approve")
    assert sent.holds(VOLUME) == all_hashed() | all_hashed({"renamed.txt": "alpha\n"})


def test_there_is_a_current_version_and_going_back_to_an_old_one_is_seen(desk):
    desk.write("reconcile.yaml", PLAIN)
    for text in ("alpha\n", "second\n", "alpha\n"):
        desk.write("documents/a.txt", text)
        desk.ok("apply", "--auto-approve")
        assert desk.holds(VOLUME)["a.txt"] == text


def test_every_version_stays_under_its_hash(sent):
    sent.write("documents/a.txt", "second\n")
    sent.ok("apply", "--auto-approve")
    assert sent.holds(VOLUME) == all_hashed() | all_hashed({"a.txt": "second\n"})
    sent.write("documents/a.txt", "alpha\n")
    sent.workspace.log.clear()
    sent.ok("apply", "--auto-approve")
    assert puts(sent) == [], "it is there, and known"


def test_what_is_deleted_here_is_deleted_there_unless_told_otherwise(desk):
    desk.write("reconcile.yaml", PLAIN)
    desk.ok("apply", "--auto-approve")
    (desk.root / "documents/a.txt").unlink()
    desk.ok("apply", "--auto-approve")
    assert "a.txt" not in desk.holds(VOLUME)


def test_without_a_state_the_hash_in_the_name_is_read_once_and_nothing_is_sent(sent):
    for path in (sent.root / "state").iterdir():
        path.unlink()
    said = sent.ok("apply", "--auto-approve")
    assert "3 adopted" in said.last
    assert puts(sent) == []


@pytest.mark.hazard("R11")
@pytest.mark.parametrize("foreign", [b"ALPHA\n", b"alp", b""])
def test_a_name_with_the_right_hash_and_other_bytes_is_not_taken_for_the_file(desk, foreign):
    desk.workspace.put(VOLUME + hashed("a.txt", "alpha\n"), foreign)
    said = desk.apply()
    assert (said.code, "Left: 1 conflict" in said.last) == (3, True)
    assert desk.workspace.read(VOLUME + hashed("a.txt", "alpha\n")) == foreign
    assert desk.apply("--resend").code == 3, "not even then: it is not ours"


@pytest.mark.parametrize(("side", "text"), [("--source", "alpha\n"), ("--target", "by hand\n")])
def test_what_somebody_changed_there_waits_for_a_word(desk, side, text):
    desk.write("reconcile.yaml", PLAIN)
    desk.ok("apply", "--auto-approve")
    desk.workspace.put(VOLUME + "a.txt", b"by hand\n")
    assert desk.apply().code == 3
    assert desk.holds(VOLUME)["a.txt"] == "by hand\n"
    desk.ok("conflicts", "resolve", side, "a.txt")
    assert desk.holds(VOLUME)["a.txt"] == text
    assert "No changes" in desk.ok("plan").last


@pytest.mark.hazard("R01")
def test_a_listing_that_fails_is_not_an_empty_volume(sent):
    fault = sent.workspace.faults.add(refuse(403, "PERMISSION_DENIED", "no"), "GET", "/api/2.0/fs/dir", times=None)
    said = sent.apply()
    assert fault.fired
    assert said.code in (1, 7)
    assert sent.changes() == []


def test_names_without_a_dot_are_taken_and_git_never_is(desk):
    for name in ("Makefile", "LICENSE", ".git/config", "sub/.git/HEAD"):
        desk.write(f"documents/{name}", "x\n")
    desk.write("reconcile.yaml", PLAIN.replace('    include: ["*.*"]\n', "").replace('"*draft*"', '".env"'))
    desk.ok("apply", "--auto-approve")
    assert set(desk.holds(VOLUME)) == {"a.txt", "sub/b.tar.gz", "Makefile", "LICENSE"}


def test_an_exclude_sees_directories_and_depth(desk):
    for name in ("drafts/b.txt", "x/my draft/c.txt", "tmp/x/y.txt", "tmp/z.txt"):
        desk.write(f"documents/{name}", "x\n")
    desk.write("reconcile.yaml", PLAIN.replace('["*draft*"]', '["*draft*", "tmp/*"]'))
    desk.ok("apply", "--auto-approve")
    assert desk.holds(VOLUME) == FILES


def test_a_suffix_with_an_underscore_is_not_sent_again(desk):
    desk.write("documents/n.b_c", "x\n")
    desk.ok("apply", "--auto-approve")
    assert desk.ok("apply", "--auto-approve").last == "No changes. 4 paths in sync."


@pytest.mark.hazard("L02")
@pytest.mark.hazard("P16")
def test_a_file_that_changes_after_it_was_hashed_is_not_stored_under_that_hash(desk):
    """All are edited while the volume is made: after the plan gave them their names, before they are read."""

    def edit(request, work):
        for name in FILES:
            path = desk.root / "documents" / name
            path.write_text(path.read_text().upper())
        return work(request)

    fault = desk.workspace.faults.add(edit, "POST", "/api/2.1/unity-catalog/volumes")
    assert desk.apply().code == 7
    assert fault.fired
    assert desk.holds(VOLUME) == {}
    desk.ok("apply", "--auto-approve")
    assert desk.holds(VOLUME) == all_hashed({name: text.upper() for name, text in FILES.items()})


@pytest.mark.hazard("N05")
def test_a_file_that_cannot_be_read_stops_nobody_else(desk):
    (desk.root / "documents" / os.fsdecode(b"\xff.txt")).write_bytes(b"x")
    said = desk.apply()
    assert (said.code, "1 unreadable" in said.last) == (7, True)
    assert desk.holds(VOLUME) == all_hashed()


def test_nothing_is_hashed_twice(sent, monkeypatch):
    read = []
    hashes = LocalReader.hashes
    monkeypatch.setattr(LocalReader, "hashes", lambda *told, **how: read.append(told[1]) or hashes(*told, **how))
    time.sleep(1.2 * GRANULE_NS / 1e9)  # a younger file is read again, since nothing would tell an edit of that moment
    sent.ok("apply", "--auto-approve")
    first = len(read)
    sent.ok("apply", "--auto-approve")
    assert (len(read) - first, first <= len(FILES)) == (0, True)


def test_uploads_are_side_by_side_and_no_more_than_were_asked_for(desk):
    for number in range(20):
        desk.write(f"documents/many/{number}.txt", f"{number}\n")
    desk.write("reconcile.yaml", PLAIN + HASHED + "    concurrency: 5\n")
    desk.workspace.latency_s = 0.02
    desk.ok("apply", "--auto-approve")
    assert len(puts(desk)) == 23, "one request for each file"
    assert 3 <= desk.workspace.log.most_under_way <= 5


@pytest.mark.hazard("N07")
def test_a_name_that_the_hash_makes_too_long_is_told_before_anything_is_sent(desk):
    desk.write(f"documents/{'n' * 200}.txt", "x\n")
    said = desk.apply()
    assert (said.code in (1, 7), "nnnn" in said.out + said.err) == (True, True)
    assert not [path for path in desk.workspace.paths(VOLUME) if "nnn" in path]


def test_an_absolute_pattern_is_one_of_the_top(desk):
    desk.write("reconcile.yaml", PLAIN.replace('"*.*"', '"/a.txt"'))
    desk.write("documents/sub/a.txt", "below\n")
    desk.ok("apply", "--auto-approve")
    assert desk.holds(VOLUME) == {"a.txt": "alpha\n"}


@pytest.mark.hazard("R15")
def test_a_lookup_that_is_refused_is_not_a_volume_that_is_missing(desk):
    refused = refuse(403, "PERMISSION_DENIED", "no USE SCHEMA")
    fault = desk.workspace.faults.add(refused, "GET", "/api/2.[01]/(unity-catalog|fs)/", times=None)
    said = desk.apply()
    assert fault.fired
    assert (said.code, "no USE SCHEMA" in said.err) == (1, True)
    assert desk.changes() == []
