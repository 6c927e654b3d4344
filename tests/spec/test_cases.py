"""Whole specs: every file of `good/` is valid, every file of `bad/` has just the problems that stand beside it.

`UPDATE_GOLDEN=1 pytest tests/spec` writes the expected problems anew.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from reconcile.core.errors import SpecError
from reconcile.spec.load import load_spec

HERE = Path(__file__).parent
ENVIRON = {
    "USER": "ada",
    "PG_PASSWORD": "pg-canary",
    "API_TOKEN": "token-canary",
    "AWS_SECRET_ACCESS_KEY": "aws-canary",
}
SECRETS = ("hunter22", "1234567", "pg-canary", "token-canary", "aws-canary")


def files(folder):
    return [pytest.param(file, id=file.stem) for file in sorted((HERE / folder).glob("*.yaml"))]


@pytest.mark.parametrize("file", files("good"))
def test_a_good_spec_loads(file):
    spec = load_spec(file, environ=ENVIRON)
    assert spec.mappings


@pytest.mark.hazard("S02")
@pytest.mark.hazard("S15")
@pytest.mark.hazard("N10")
@pytest.mark.hazard("N11")
@pytest.mark.parametrize("file", files("bad"))
def test_a_bad_spec_tells_all_its_problems_and_no_secret(file):
    with pytest.raises(SpecError) as caught:
        load_spec(file, environ=ENVIRON)
    told = "\n".join(caught.value.problems).replace(str(file.parent) + os.sep, "") + "\n"
    golden = file.with_suffix(".txt")
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(told, encoding="utf-8")
    assert told == golden.read_text(encoding="utf-8")
    assert not [secret for secret in SECRETS if secret in told]
