"""`sync SOURCE TARGET`: everything of `apply`, without a spec file."""

from __future__ import annotations

import json
from pathlib import Path
import shlex

import pytest

from reconcile.cli.main import run
from tests.fakes.s3 import FakeS3


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A directory with a source, which commands run in."""
    monkeypatch.chdir(tmp_path)
    Path("src").mkdir()
    Path("src/a.txt").write_text("alpha", encoding="utf-8")
    return tmp_path


def test_it_does_what_apply_does_and_keeps_its_state_in_the_home(place, own_home, capsys):
    assert run(["sync", "src", "out", "--auto-approve"]) == 0
    assert Path("out/a.txt").read_text(encoding="utf-8") == "alpha"
    assert "1 created" in capsys.readouterr().out
    assert run(["sync", "./src", str(place / "out")]) == 0
    assert "No changes. 1 path in sync." in capsys.readouterr().out
    (state,) = own_home.glob(".local/state/reconcile/*/reconcile.db")
    assert len(state.parent.name) == 32
    assert not (place / "state").exists()


def test_each_pair_has_a_state_of_its_own(place, own_home):
    assert [run(["sync", "src", target, "--auto-approve", "-q"]) for target in ("one", "two")] == [0, 0]
    assert len(list(own_home.glob(".local/state/reconcile/*/reconcile.db"))) == 2


def test_where_it_is_called_from_does_not_matter(place, monkeypatch, capsys):
    assert run(["sync", "src", "out", "--auto-approve"]) == 0
    monkeypatch.chdir(place / "src")
    capsys.readouterr()
    assert run(["-C", "..", "sync", "src", "out"]) == 0
    assert run(["sync", ".", "../out"]) == 0
    assert capsys.readouterr().out.count("No changes.") == 2


def test_nobody_to_ask_is_a_refusal_that_names_the_flag(place, capsys):
    assert run(["sync", "src", "out"]) == 1
    assert "--auto-approve" in capsys.readouterr().err
    assert not Path("out").exists()


def test_a_dry_run_only_plans(place, capsys):
    assert run(["sync", "src", "out", "--dry-run", "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert [action["path"] for action in plan["actions"]] == ["a.txt"]
    assert not Path("out").exists()


def test_settings_are_those_of_a_mapping(place):
    Path("src/b.tmp").write_text("no", encoding="utf-8")
    settings = ["--set", "exclude=['*.tmp']", "--set", "guard.max_delete=10%", "--set", "delete=false"]
    assert run(["sync", "src", "out", "--auto-approve", *settings]) == 0
    assert sorted(path.name for path in Path("out").glob("*.*")) == ["a.txt"]
    Path("src/a.txt").unlink()
    assert run(["sync", "src", "out", "--auto-approve", *settings]) == 0
    assert Path("out/a.txt").exists()


@pytest.mark.parametrize("setting", ["delete", "=1", "source=elsewhere", "guard.=1", "nonsense=1", "delete=maybe"])
def test_a_wrong_setting_is_refused(place, setting, capsys):
    assert run(["sync", "src", "out", "--auto-approve", "--set", setting]) == 1
    assert setting.partition("=")[0] in capsys.readouterr().err
    assert not Path("out").exists()


def test_a_target_says_where_its_service_is(place, capsys, monkeypatch):
    """As it is printed, so can it be typed; another endpoint is another place, with a state of its own."""
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    with FakeS3() as one, FakeS3() as other:
        for server in (one, other):
            target = f"s3://bucket/team?endpoint={server.endpoint}"
            assert run(["sync", "src", target, "--auto-approve"]) == 0
            assert f"→ {target}\n" in capsys.readouterr().out
            assert run(["sync", "src", target]) == 0
            assert "No changes. 1 path in sync." in capsys.readouterr().out
            assert run(["ls", target]) == 0
            assert "a.txt" in capsys.readouterr().out
            Path("reconcile.yaml").write_text(
                f"version: 1\nmappings: {{m: {{source: ./src, target: '{target}'}}}}\n", encoding="utf-8"
            )
            assert run(["apply", "--auto-approve"]) == 0
            Path("reconcile.yaml").unlink()


@pytest.mark.parametrize("word", ["endpoint", "region", "profile"])
def test_what_is_said_of_a_connection_is_no_setting(place, word, capsys):
    assert run(["sync", "src", "s3://bucket/team", "--set", f"{word}=x"]) == 1
    assert f"s3://BUCKET/PREFIX?{word}=" in capsys.readouterr().err


def test_a_table_cannot_follow_a_value(place, capsys):
    assert run(["sync", "src", "out", "--set", "guard=1", "--set", "guard.max_delete=3"]) == 1
    assert "--set" in capsys.readouterr().err


def test_a_name_is_taken_as_it_is(place):
    Path("src").rename("${env.HOME}")
    assert run(["sync", "${env.HOME}", "out", "--auto-approve"]) == 0
    assert Path("out/a.txt").exists()


@pytest.mark.parametrize("flag", ["--dry-run", "--select", "--resend", "--checksum", "--concurrency=4"])
def test_watching_takes_no_flag_of_a_single_run(place, flag, capsys):
    assert run(["sync", "src", "out", "--watch", flag]) == 1
    assert f"--watch {flag.partition('=')[0]}" in capsys.readouterr().err


def test_watching_follows_the_pair(place, monkeypatch):
    seen = []
    monkeypatch.setattr("reconcile.cli.watch.watch", lambda _face, spec, **flags: seen.append((spec, flags)) or 0)
    assert run(["sync", "src", "out", "--watch", "--allow", "deletes", "--lock-timeout", "1s"]) == 0
    ((spec, flags),) = seen
    assert list(spec.mappings) == ["src"]
    assert flags["allow"] == ("deletes",)
    assert flags["lock_timeout"] == "1s"


def test_a_missing_source_is_an_error(place, capsys):
    assert run(["sync", "nowhere", "out", "--auto-approve"]) == 1
    assert "nowhere" in capsys.readouterr().err


def test_a_directory_that_is_called_like_a_database_is_told(place, capsys):
    assert run(["sync", "src", "one.db", "--dry-run"]) == 0
    assert "the tables of a database are sqlite:///one.db" in capsys.readouterr().out
    (place / "two.db").mkdir()
    assert run(["sync", "src", "two.db", "--dry-run"]) == 0
    assert "sqlite:" not in capsys.readouterr().out


def test_what_it_leads_to_can_be_run(place, capsys):
    """Its hints name verbs that want a spec: there is one, beside its state, that means the same."""
    settings = ["--set", "guard.max_delete=0", "--set", "exclude=['*.tmp', '\U0001f600\u0085']", "--set", "delete=true"]
    Path("src").rename("${var} \U0001f600\u0085")
    sync = ["sync", "${var} \U0001f600\u0085", "out", *settings]
    assert run([*sync, "--dry-run"]) == 0
    assert run([*sync, "--auto-approve"]) == 0
    assert "Other verbs" not in capsys.readouterr().err
    Path("out/a.txt").write_text("theirs", encoding="utf-8")
    Path(sync[1], "a.txt").write_text("ours", encoding="utf-8")
    assert run([*sync, "--auto-approve"]) == 3
    (told,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("Other verbs")]
    file = shlex.split(told)[shlex.split(told).index("-f") + 1]
    assert run([*sync, "--auto-approve", "--set", "nonsense=1"]) == 1, "and does not replace it by a wrong one"
    assert run(["-f", file, "conflicts", "resolve", "--source", "a.txt"]) == 0
    assert run(["-f", file, "apply", "--auto-approve"]) == 0
    assert Path("out/a.txt").read_text(encoding="utf-8") == "ours"
    assert run(sync) == 0
    assert Path(file).stat().st_mode & 0o777 == 0o600


def test_a_directory_whose_name_is_no_text_is_refused(place, capsys):
    Path("src").rename("\udcff")
    assert run(["sync", "\udcff", "out", "--auto-approve"]) == 1
    assert "not valid Unicode" in capsys.readouterr().err


@pytest.mark.parametrize("value", ["{stem}{suffix}", "'{stem}{suffix}'", "x-{name}"])
def test_placeholders_need_no_quotes_but_those_of_the_shell(place, value):
    assert run(["sync", "src", "out", "--auto-approve", "--set", f"layout={value}"]) == 0
    assert Path("out", "x-a.txt" if "x" in value[0] else "a.txt").exists()
