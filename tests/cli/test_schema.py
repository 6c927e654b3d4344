"""`schema`: for editors."""

from __future__ import annotations

import json

import pytest


@pytest.mark.parametrize("name", ["spec", "plan", "report"])
def test_a_schema_of_each_document(bare, name):
    assert "$schema" in json.loads(bare("schema", name).out)


def test_the_spec_is_the_usual_question(bare):
    assert bare("schema").out == bare("schema", "spec").out
    assert bare("schema", "nonsense").code == 1
