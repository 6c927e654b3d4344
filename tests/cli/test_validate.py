"""`validate`: all problems at once, and no network."""

from __future__ import annotations

import pytest


def test_a_good_spec(place):
    told = place("validate")
    assert (told.code, told.out) == (0, "reconcile.yaml is valid: 1 mapping.\n")
    assert place("validate", "--json").json["valid"] is True
    assert not (place.root / "state").exists()


def test_every_problem_with_its_place(place):
    place.write("reconcile.yaml", "version: 1\nmappings:\n  docs: {sorce: ./docs, target: ./there, delete: maybe}\n")
    told = place("validate")
    assert told.code == 1
    assert told.err.count("reconcile.yaml:3:") == 3
    assert "did you mean `source`?" in told.err


def test_problems_for_machines_stand_on_stdout(place):
    place.write("reconcile.yaml", "version: 2\nmappings: {}\n")
    told = place("validate", "--json")
    assert told.json["valid"] is False
    assert told.json["problems"]


def test_no_spec_at_all(bare):
    told = bare("validate")
    assert told.code == 1
    assert "reconcile init" in told.err


def test_variables_of_the_command_line(place):
    place.write("reconcile.yaml", "version: 1\nmappings:\n  docs: {source: ./docs, target: './${var.where}'}\n")
    assert place("validate").code == 1
    place.write(
        "reconcile.yaml",
        "version: 1\nvariables: {where: there}\nmappings:\n  docs: {source: ./docs, target: './${var.where}'}\n",
    )
    assert place("validate", "--var", "where=elsewhere").code == 0
    assert place("validate", "--var", "nowhere=x").code == 1


UNBUILT = {
    "notify": "notify: {when: [failure], command: [./alert.sh]}\nmappings: {docs: {source: ./docs, target: ./there}}\n",
    "conflict: both": "mappings: {docs: {source: ./docs, target: ./there, conflict: both}}\n",
    "direction: two-way": "mappings: {docs: {source: ./docs, target: ./there, direction: two-way}}\n",
    "unmanaged: delete would delete": (
        "state: s3://acme/docs/state\nmappings: {docs: {source: ./docs, target: 's3://acme/docs', unmanaged: delete}}\n"
    ),
}


@pytest.mark.parametrize("what", UNBUILT)
def test_what_a_plan_would_refuse_is_no_valid_spec(place, what):
    place.write("reconcile.yaml", "version: 1\n" + UNBUILT[what])
    told = place("validate")
    assert (told.code, told.out) == (1, "")
    assert told.err == place("plan").err
    assert what.partition(":")[0] in told.err
    document = place("validate", "--json").json
    assert document["valid"] is False
    assert what.partition(":")[0] in document["problems"][0]


def test_a_mapping_that_is_not_built_keeps_back_no_other(place):
    """`--mapping` asks for the others alone."""
    both = (
        "mappings:\n  docs: {source: ./docs, target: ./there}\n  two: {source: ./x, target: ./y, direction: two-way}\n"
    )
    place.write("reconcile.yaml", f"version: 1\n{both}")
    place.ok("plan", "--mapping", "docs")
    assert place("plan").err == place("validate").err != ""


def test_all_that_is_not_built_is_told_at_once(place):
    mappings = "mappings: {a: {source: 's3://b/x', target: ./x}, c: {source: ./docs, target: ./y, conflict: both}}\n"
    place.write("reconcile.yaml", f"version: 1\nnotify: {{when: [failure], command: [./alert.sh]}}\n{mappings}")
    told = place("validate")
    assert told.code == 1
    assert [line.partition(" is not built yet; ")[0].rpartition(": mapping ")[2] for line in told.err.splitlines()] == [
        "Error: reconcile.yaml: notify",
        "a: a source in s3",
        "c: conflict: both",
    ]
    assert len(place("validate", "--json").json["problems"]) == 3
