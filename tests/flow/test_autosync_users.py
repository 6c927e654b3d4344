"""What Autosync's users rely on, and what it did to them: kept, and not done."""

from __future__ import annotations

import os
from pathlib import Path
import time

import pytest

from reconcile.spec.translate import from_autosync
from tests.cli.test_watch import stopped_when
from tests.fakes.databricks import Emulator
from tests.fakes.databricks.faults import refuse
from tests.flow.databricks_desk import desk_at, until

ROOT = "dbfs:/FileStore/packages/ada/repo/"
CONFIG = "profile: DEFAULT\nlocal_root: ./repo\npatterns:\n  or: ['\\.py$', '\\.json$']\n  nor: ['/tests/']\n"
FILES = {"tides.py": "import json\n", "lib/clock.py": "DAY = 1440\n", "lib/deep/x.json": "{}\n"}
LEFT_OUT = {"README.md": "no pattern\n", "tests/check.py": "assert True\n", "lib/tests/more.py": "assert True\n"}


@pytest.fixture
def desk(tmp_path, monkeypatch, capsys):
    """A repository that Autosync would have sent, and its config."""
    with Emulator() as workspace:
        desk = desk_at(tmp_path, monkeypatch, capsys, workspace)
        for name, text in (FILES | LEFT_OUT).items():
            desk.write(f"repo/{name}", text)
        desk.write("config.yaml", CONFIG)
        yield desk
        assert desk.is_tidy()


@pytest.fixture
def switched(desk):
    """The same on the day after the switch."""
    desk.ok("init", "--from", "config.yaml")
    desk.ok("apply", "--auto-approve")
    assert desk.holds(ROOT) == FILES
    return desk


# --- what a replacement must keep


def test_all_that_the_patterns_take_arrives_in_the_users_folder_with_its_directories(switched):
    assert set(switched.workspace.paths("dbfs:")) == {ROOT + name for name in FILES}


def test_the_example_is_what_its_config_becomes():
    example = Path(__file__).parents[2] / "examples" / "autosync"
    made, _ = from_autosync((example / "config.yaml").read_text(), str(example / "config.yaml"))
    assert made == (example / "reconcile.yaml").read_text()


@pytest.mark.parametrize(
    ("patterns", "taken"),
    [
        ("or: ['x', '\\.json$']", {"lib/deep/x.json"}),
        ("and: ['lib', '\\.py$']", {"lib/clock.py", "lib/tests/more.py"}),
        ("nor: ['lib', '\\.md$']", {"tides.py", "tests/check.py"}),
        ("nand: ['\\.py$', 'lib']", {"tides.py", "README.md", "tests/check.py", "lib/deep/x.json"}),
        ("or: ['^/repo/[a-z]*\\.py$']", {"tides.py"}),
        ("or: ['[Tt]ests']", {"tests/check.py", "lib/tests/more.py"}),
        ("or: ", set(FILES) | set(LEFT_OUT)),
    ],
)
def test_each_of_the_four_lists_means_what_it_meant(desk, patterns, taken):
    desk.write("config.yaml", f"local_root: ./repo\npatterns: {{{patterns}}}\n")
    desk.ok("init", "--from", "config.yaml")
    desk.ok("apply", "--auto-approve")
    assert set(desk.holds(ROOT)) == taken


def test_without_recursion_only_the_top_is_taken_and_followed(desk):
    desk.write("config.yaml", CONFIG + "recursive: false\n")
    desk.ok("init", "--from", "config.yaml")
    desk.ok("apply", "--auto-approve")
    desk.write("repo/lib/new.py", "1\n")
    desk.write("repo/new.py", "1\n")
    desk.ok("apply", "--auto-approve")
    assert set(desk.holds(ROOT)) == {"tides.py", "new.py"}


def test_the_cells_for_the_notebook_are_printed(desk):
    desk.ok("init", "--from", "config.yaml")
    lines = desk.ok("apply", "--auto-approve").out.splitlines()
    at = lines.index("  %load_ext autoreload")
    assert lines[at + 1] == "  %autoreload 2"
    assert "  sys.path.insert(0, '/dbfs/FileStore/packages/ada/repo/')" in lines
    assert lines[-1].startswith("Applied 1: 3 created")
    desk.write("repo/tides.py", "import os\n")
    assert "autoreload" not in desk.ok("apply", "--auto-approve", "--json").out
    desk.write("repo/tides.py", "import re\n")
    assert "autoreload" not in desk.ok("-q", "apply", "--auto-approve").out
    assert "autoreload" not in desk.ok("apply", "--auto-approve").out, "nothing new has arrived"


@pytest.mark.parametrize(
    ("target", "mount"),
    [
        ("/Volumes/main/default/code/${user}", "/Volumes/main/default/code/ada/"),
        ("/Workspace/Users/${user}/repo", "/Workspace/Users/ada/repo/"),
    ],
)
def test_the_cells_fit_where_the_files_are(desk, target, mount):
    desk.workspace.catalog.add("main", "default", "code")
    desk.write("reconcile.yaml", f'version: 1\nmappings:\n  repo: {{source: ./repo, target: "{target}"}}\n')
    assert f"  sys.path.insert(0, '{mount}')" in desk.ok("apply", "--auto-approve").out.splitlines()


def test_the_profile_picks_the_workspace(desk, monkeypatch):
    with Emulator() as other:
        profiles = Path(os.environ["DATABRICKS_CONFIG_FILE"])
        profiles.write_text(profiles.read_text() + f"[OTHER]\nhost = {other.url}\ntoken = {other.token}\n")
        desk.write("config.yaml", CONFIG.replace("DEFAULT", "OTHER"))
        desk.ok("init", "--from", "config.yaml")
        desk.ok("apply", "--auto-approve")
        assert set(other.paths("dbfs:")) == {ROOT + name for name in FILES}
    assert desk.workspace.paths("dbfs:") == []


def test_backslashes_become_slashes(desk):
    desk.write("config.yaml", CONFIG.replace("./repo", r".\sub\repo"))
    (desk.root / "sub").mkdir()
    (desk.root / "repo").rename(desk.root / "sub" / "repo")
    desk.ok("init", "--from", "config.yaml")
    desk.ok("apply", "--auto-approve")
    assert desk.holds(ROOT) == FILES


@pytest.mark.hazard("R30")
def test_the_fence_holds_on_the_remote_prefix(switched):
    spec = switched.read("reconcile.yaml")
    fenced = spec + "    unmanaged: delete\n"
    switched.write("reconcile.yaml", fenced.replace("packages/${user}/${source.name}", "packages"))
    said = switched("apply", "--auto-approve", "--allow-deletes")
    assert (said.code, "`delete` would empty all of dbfs:/FileStore/packages" in said.err) == (1, True)
    switched.workspace.put("dbfs:/FileStore/packages/ada/other/x.py", b"another repository")
    switched.workspace.put(ROOT + "prod/x.py", b"by hand")
    switched.write("reconcile.yaml", fenced + '    protect: ["prod/**"]\n')
    switched("apply", "--auto-approve", "--allow-deletes")
    assert switched.holds("dbfs:/FileStore/packages/ada/other/") == {"x.py": "another repository"}
    assert switched.holds(ROOT) == FILES | {"prod/x.py": "by hand"}


def test_edits_arrive_within_two_seconds_until_it_is_stopped(switched):
    with switched.watched():
        switched.write("repo/tides.py", "import re\n")
        assert until(lambda: switched.holds(ROOT).get("tides.py") == "import re\n") < 2
        switched.write("repo/lib/new.py", "NEW = 1\n")
        assert until(lambda: "lib/new.py" in switched.holds(ROOT)) < 2
        (switched.root / "repo/lib/new.py").unlink()
        assert until(lambda: "lib/new.py" not in switched.holds(ROOT)) < 2


def test_ctrl_c_ends_it_with_0(switched):
    path = switched.write("repo/new.py", "1\n")
    with stopped_when(lambda: path.name in switched.holds(ROOT)):
        assert switched("watch").code == 0


# --- what it did to them


def test_the_last_of_two_quick_saves_is_not_lost(switched):
    with switched.watched():
        for number in range(4):
            switched.write("repo/tides.py", f"SAVE = {number}\n")
            time.sleep(0.3)
        until(lambda: switched.holds(ROOT).get("tides.py") == "SAVE = 3\n")


def test_a_file_that_lived_for_a_moment_is_gone_there_too(switched):
    with switched.watched():
        path = switched.write("repo/moment.py", "1\n")
        until(lambda: "moment.py" in switched.holds(ROOT))
        path.unlink()
        until(lambda: "moment.py" not in switched.holds(ROOT))


def test_a_rename_and_an_atomic_save_arrive(switched):
    with switched.watched():
        (switched.root / "repo/tides.py").rename(switched.root / "repo/waves.py")
        switched.write("repo/lib/clock.py.tmp", "DAY = 86400\n").rename(switched.root / "repo/lib/clock.py")
        wanted = {"waves.py": FILES["tides.py"], "lib/clock.py": "DAY = 86400\n", "lib/deep/x.json": "{}\n"}
        until(lambda: switched.holds(ROOT) == wanted)


def test_nothing_is_wiped_first_whatever_the_patterns_say(switched):
    spec = switched.read("reconcile.yaml")
    for patterns in ("or: ['matches nothing at all']", "or: ['[']", "or: "):
        switched.workspace.log.clear()
        switched.write("reconcile.yaml", spec.partition("    patterns:")[0] + f"    patterns: {{{patterns}}}\n")
        said = switched.apply()
        assert FILES.items() <= switched.holds(ROOT).items(), said
        assert not switched.workspace.log.of("POST", "/api/2.0/dbfs/delete")


def test_a_pattern_that_matches_a_directory_sends_what_is_in_it(desk):
    (desk.root / "repo" / "empty.py").mkdir()
    desk.write("repo/package.py/__init__.py", "1\n")
    desk.write("config.yaml", "local_root: ./repo\npatterns: {or: ['\\.py']}\n")
    desk.ok("init", "--from", "config.yaml")
    desk.ok("apply", "--auto-approve")
    assert "package.py/__init__.py" in desk.holds(ROOT)
    assert "empty.py" not in desk.holds(ROOT)


@pytest.mark.hazard("O02")
def test_a_file_that_fails_is_told_and_tried_again(switched):
    fault = switched.workspace.faults.add(refuse(403, "PERMISSION_DENIED", "no"), about="new\\.py", times=None)
    switched.write("repo/new.py", "1\n")
    switched.write("repo/tides.py", "import os\n")
    said = switched.apply()
    assert fault.fired
    assert (said.code, "new.py" in said.out, "Left: 1 failed" in said.last) == (7, True, True)
    assert switched.holds(ROOT)["tides.py"] == "import os\n"
    switched.workspace.faults.heal()
    assert switched.apply().code == 0
    assert switched.holds(ROOT)["new.py"] == "1\n"


def test_what_came_while_there_was_no_network_is_sent_afterwards(switched):
    fault = switched.workspace.faults.add(refuse(503, "TEMPORARILY_UNAVAILABLE", "down"), times=1)
    switched.write("repo/tides.py", "import os\n")
    switched.apply()
    assert fault.fired
    switched.apply()
    assert switched.holds(ROOT)["tides.py"] == "import os\n"


def test_a_directory_called_temp_is_nobodys_scratch(desk):
    desk.write("temp/mine.py", "mine\n")
    desk.ok("init", "--from", "config.yaml")
    desk.ok("apply", "--auto-approve")
    assert desk.read("temp/mine.py") == "mine\n"
    assert desk.holds(ROOT) == FILES


def test_a_directory_that_goes_goes_there_with_all_that_was_sent(switched):
    for path in sorted((switched.root / "repo" / "lib").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    switched.ok("apply", "--auto-approve", "--allow-deletes")
    assert switched.holds(ROOT) == {"tides.py": FILES["tides.py"]}


@pytest.mark.parametrize("name", ["$(touch pwned).py", "a;touch pwned;.py", "`touch pwned`.py", "%USERNAME% & x.py"])
def test_a_name_is_no_command(switched, name):
    switched.write(f"repo/{name}", "1\n")
    switched.ok("apply", "--auto-approve")
    assert switched.holds(ROOT)[name] == "1\n"
    assert not list(switched.root.rglob("pwned"))


def test_a_profile_is_no_command(desk):
    desk.write("config.yaml", CONFIG.replace("DEFAULT", "'X; touch pwned'"))
    desk.ok("init", "--from", "config.yaml")
    said = desk.apply()
    assert (said.code, (desk.root / "pwned").exists()) == (1, False)
    assert "X; touch pwned" in said.err


@pytest.mark.hazard("W08")
def test_what_changes_while_it_starts_or_is_off_is_not_missed(switched):
    switched.write("repo/off.py", "1\n")
    (switched.root / "repo/lib/clock.py").unlink()
    with switched.watched():
        assert "off.py" in switched.holds(ROOT)
        assert "lib/clock.py" not in switched.holds(ROOT)


def test_two_checkouts_of_one_name_do_not_wipe_each_other(switched):
    """The other one has a state of its own: what it did not send it does not touch."""
    for name, text in {"tides.py": "THE OTHER\n", "only_there.py": "1\n"}.items():
        switched.write(f"elsewhere/repo/{name}", text)
    switched.write("elsewhere/reconcile.yaml", switched.read("reconcile.yaml"))
    said = switched("-C", "elsewhere", "apply", "--auto-approve")
    assert (said.code, "Left: 1 conflict" in said.last) == (3, True)
    assert switched.holds(ROOT) == FILES | {"only_there.py": "1\n"}


@pytest.mark.hazard("N10")
def test_two_folders_of_one_name_in_one_spec_are_refused(desk):
    target = "dbfs:/FileStore/packages/${user}/${source.name}"
    mappings = "".join(f'  {name}: {{source: ./{name}/repo, target: "{target}"}}\n' for name in ("one", "two"))
    desk.write("reconcile.yaml", f"version: 1\nmappings:\n{mappings}")
    said = desk("plan")
    assert (said.code, "is also the target of `one`" in said.err) == (1, True)


@pytest.mark.hazard("L11")
def test_a_symlink_is_not_followed_out_of_the_folder(desk):
    desk.write("secret.py", "SECRET = 1\n")
    (desk.root / "repo" / "link.py").symlink_to(desk.root / "secret.py")
    desk.ok("init", "--from", "config.yaml")
    desk.apply()
    assert desk.holds(ROOT) == FILES


def test_no_path_has_two_slashes(switched):
    asked = [request.path + str(request.query) for request in switched.workspace.log]
    assert not [text for text in asked if "//" in text]


def test_what_others_change_or_delete_there_is_noticed(switched):
    switched.workspace.put(ROOT + "tides.py", b"edited in the browser")
    switched.workspace.remove(ROOT + "lib/clock.py")
    plan = switched("plan").out
    assert "Changed in the target since run 1:" in plan
    assert "tides.py" in plan
    assert "lib/clock.py" in plan


def test_it_needs_no_other_program(desk, monkeypatch):
    monkeypatch.setenv("PATH", "")
    desk.ok("init", "--from", "config.yaml")
    desk.ok("apply", "--auto-approve")
    assert desk.holds(ROOT) == FILES


def test_filestore_is_called_deprecated(desk):
    assert "dbfs:/FileStore is deprecated" in desk.ok("init", "--from", "config.yaml").err


@pytest.mark.hazard("T01")
def test_a_folder_that_autosync_filled_is_adopted_after_one_read(desk):
    for name, text in FILES.items():
        desk.workspace.put(ROOT + name, text.encode())
    desk.ok("init", "--from", "config.yaml")
    said = desk.ok("apply", "--auto-approve")
    assert "3 adopted" in said.last
    assert not desk.changes(), "nothing is sent"
    assert len(desk.workspace.log.of("GET", "/api/2.0/dbfs/read")) == len(FILES)
    assert "No changes" in desk.ok("plan").last
