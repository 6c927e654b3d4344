"""init: how one begins; and `-C`, as if one stood elsewhere."""

import re

import pytest

from reconcile.spec.load import load_spec


def test_what_init_writes_can_be_planned_and_is_not_committed(bare):
    (bare.root / "data").mkdir()
    said = bare.ok("init")
    assert said.out.splitlines() == ["Wrote reconcile.yaml", "Wrote state/.gitignore", "Next: reconcile plan"]
    assert "\n*\n" in (bare.root / "state/.gitignore").read_text()
    assert bare.ok("validate").out == "reconcile.yaml is valid: 1 mapping.\n"
    bare.ok("plan")


def test_what_init_offers_in_comments_is_valid_when_it_is_uncommented(bare):
    bare.ok("init")
    offered = bare.read("reconcile.yaml")
    assert "newest, both" not in offered
    bare.write("reconcile.yaml", re.sub(r"(?m)^(\s*)# (\s*\w+: )", r"\1\2", offered))
    assert "\nwatch: " in bare.read("reconcile.yaml")
    bare.ok("validate")


def test_init_takes_a_source_and_a_target_as_they_are(bare):
    bare.ok("init", "my docs", "s3://acme/${here}")
    told = bare.ok("validate", "--json").json
    assert (told["mappings"], told["problems"]) == (["my-docs"], [])


def test_init_never_overwrites(place):
    before = (place.root / "reconcile.yaml").read_bytes()
    said = place("init")
    assert (said.code, said.err) == (1, "Error: init reconcile.yaml: the file exists\n  name another: -f FILE\n")
    assert (place.root / "reconcile.yaml").read_bytes() == before
    place.ok("init", "-f", "other.yaml")
    assert place.ok("validate", "-f", "other.yaml").out.startswith("other.yaml is valid")


@pytest.mark.parametrize(
    ("name", "text", "warns"),
    [
        ("config.yaml", "profile: DEV\nlocal_root: ./src\npatterns:\n  or: ['\\.py$']\n", "dbfs:/FileStore"),
        ("s3synchrony.json", '{"aws_bkt": "acme", "aws_prfx": "team", "datafolder": "Data"}', "adopts files"),
    ],
)
def test_init_translates_what_older_tools_left(bare, name, text, warns):
    bare.write(name, text)
    said = bare.ok("init", "--from", name)
    assert warns in said.err
    assert list(load_spec(bare.root / "reconcile.yaml", environ={}).mappings)


@pytest.mark.parametrize("words", [("only-a-source",), ("a", "b", "--from", "c")])
def test_init_takes_both_or_a_file(bare, words):
    said = bare("init", *words)
    assert (said.code, (bare.root / "reconcile.yaml").exists()) == (1, False)


def test_init_says_what_it_cannot_read(bare):
    assert "no such file" in bare("init", "--from", "nowhere.json").err


def test_another_directory_is_worked_in_as_if_one_stood_there(place, monkeypatch):
    monkeypatch.chdir("/")
    there = str(place.root)
    place.ok("-C", there, "plan", "--out", "saved.plan")
    assert (place.root / "saved.plan").exists()
    assert "3 to create" in place.ok("show", "saved.plan", "-C", there).last
    place.ok("-C", there, "apply", "saved.plan")
    assert (place.root / "there/sub/c.txt").read_text() == "gamma, the third"
