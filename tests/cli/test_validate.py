"""`validate`: all problems at once, and no network."""

from __future__ import annotations


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
