"""The command as a whole: help, habits of other tools, errors in words, nothing that waits for an answer."""

from __future__ import annotations

import os
from pathlib import Path
import subprocess
import sys

import click
import pytest

from reconcile.cli.habits import HABITS
from reconcile.cli.main import VERBS, command

CLI = Path(sys.executable).with_name("reconcile")


def test_help_names_every_verb_and_every_verb_has_help(bare):
    told = bare.ok("--help").out
    assert all(f"\n  {verb} " in told for verb in VERBS)
    for verb in VERBS:
        told = bare.ok(verb, "--help").out
        assert "-C DIR" in told
        assert "--json" in told


def test_a_verb_says_in_its_own_help_what_the_list_says():
    """The list is a table of its own, so that help loads no verb; the two may not tell different stories."""
    context = click.Context(command)
    for verb, line in VERBS.items():
        loaded = command.get_command(context, verb)
        assert loaded.name == verb
        assert loaded.get_short_help_str(200)[:12].split(" ")[0] == line.split(" ")[0], verb


@pytest.mark.parametrize("habit", sorted(HABITS))
def test_what_others_type_by_habit_is_answered_with_ours(place, habit):
    words = ("plan", habit) if habit.startswith("-") else (habit,)
    told = place(*words)
    assert told.code == 1
    assert f"`{habit}` is `{HABITS[habit]}` here." in told.err


@pytest.mark.parametrize(
    ("words", "ours"),
    [
        (("sync", "docs", "there", "--exclude", "*.tmp"), "exclude: [GLOB…]"),
        (("sync", "docs", "there", "--delete"), "unmanaged: delete"),
        (("apply", "--dryrun"), "apply --dry-run"),
        (("plan", "--dry-run"), "`plan`, or `apply --dry-run`"),
        (("-chdir=elsewhere", "plan"), "-C DIR"),
        (("apply", "-var", "env=prod"), "--var NAME=VALUE"),
        (("plan", "-var=env=prod"), "--var NAME=VALUE"),
        (("apply", "-target=a.txt"), "--path GLOB"),
        (("init", "-upgrade"), "pip install --upgrade"),
        (("-version",), "--version"),
        (("import", "a.txt"), "adopt"),
        (("help", "plan"), "VERB --help"),
        (("version",), "--version"),
        (("rm", "a.txt"), "apply`, after it is gone from the source"),
    ],
)
def test_a_habit_with_all_that_comes_with_it(place, words, ours):
    told = place(*words)
    assert told.code == 1
    assert f" is `{ours}" in told.err or ours in told.err.splitlines()[-1]
    assert not place.there()


def test_what_is_ours_too_is_not_blamed_for_another_mistake(place):
    told = place("apply", "--dry-run", "--nonsense")
    assert "--nonsense" in told.err
    assert "here." not in told.err


@pytest.mark.parametrize("words", [("nonsense",), ("plan", "--nonsense"), ("show",), ("lock", "nonsense")])
def test_usage_errors_are_exit_code_1(place, words):
    told = place(*words)
    assert (told.code, told.out) == (1, "")
    assert "Usage:" in told.err


def test_global_flags_stand_before_or_after_the_verb(place):
    place.write(
        "reconcile.yaml", "version: 1\nvariables: {t: x}\nmappings: {d: {source: docs, target: 'o-${var.t}'}}\n"
    )
    before = place.ok("--json", "--var", "t=one", "plan").json
    after = place.ok("plan", "--var", "t=one", "--json").json
    assert before == after
    assert before["mappings"][0]["target"].endswith("/o-one")
    assert place("plan", "--var", "nonsense").code == 1


@pytest.mark.parametrize("words", [("apply",), ("destroy",), ("reset",), ("apply", "--select")])
def test_nobody_is_waited_for_without_a_terminal(place, words):
    if words != ("apply",):
        place.applied()
        place.write("docs/a.txt", "changed")
    done = subprocess.run(
        [CLI, *words], cwd=place.root, stdin=subprocess.PIPE, capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 1
    assert "nobody is there to be asked" in done.stderr


@pytest.mark.hazard("N06")
def test_a_c_locale_and_odd_names_end_no_command(place):
    place.write("docs/zürich\x1b[31m\u202e.txt", "x")
    env = {**os.environ, "LC_ALL": "C", "PYTHONIOENCODING": "ascii:strict"}
    for words in (
        ("apply", "--auto-approve"),
        ("ls", "docs"),
        ("state", "show", "--csv"),
        ("history", "1"),
        ("graph",),
    ):
        done = subprocess.run([CLI, *words], cwd=place.root, env=env, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
        assert b"\x1b" not in done.stdout + done.stderr


def test_a_reader_that_goes_away_is_no_traceback(place):
    for number in range(400):
        place.write(f"docs/{number:04}-{'x' * 150}.txt", "x")
    done = subprocess.run(
        f"{CLI} plan --full | head -n 1", cwd=place.root, shell=True, capture_output=True, text=True, check=False
    )
    assert "Traceback" not in done.stderr


def test_secrets_are_masked_wherever_a_path_could_carry_them(place, monkeypatch):
    canary = "a-secret-that-is-also-a-name"
    monkeypatch.setenv("LAKE_SECRET", canary)
    place.write(
        "reconcile.yaml",
        "version: 1\n"
        'stores: {lake: {url: "s3://acme", access_key_id: x, secret_access_key: "${env.LAKE_SECRET}"}}\n'
        "mappings:\n  docs: {source: ./docs, target: ./there}\n",
    )
    place.write(f"docs/{canary}.txt", "a secret in a name")
    for words in (
        ("plan",), ("plan", "--json"), ("apply", "--auto-approve"), ("status", "--json"), ("ls", "docs"),
        ("why", f"{canary}.txt"), ("state", "show"), ("state", "show", "--json"), ("history", "1"), ("graph",),
        ("verify", "--json"),
    ):  # fmt: skip
        told = place.ok(*words)
        assert canary not in told.out + told.err, words
        assert told.out
