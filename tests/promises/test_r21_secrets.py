"""R21: a credential appears in no byte that is written, said or sent, but for the request it signs, and there signed.

Every test of this suite runs with the canary as its secret key, and what it leaves and says is searched for it
(`tests/conftest.py`). Here every verb is run with the canary in every place a secret can have, in good and bad times.
"""

from __future__ import annotations

import os
from pathlib import Path
import stat
from typing import Any

import pytest

from reconcile.cli.masking import guarded
from reconcile.core.errors import StoreError
from reconcile.flow import applying, planning
from tests.conftest import CANARY, holding
from tests.fakes.s3 import FakeS3
from tests.fakes.s3_faults import refuse

SPEC = """version: 1
state: {state}
variables: {{api_token: "${{env.AWS_SECRET_ACCESS_KEY}}"}}
stores:
  lake:
    url: s3://bucket
    endpoint: {endpoint}
    region: us-east-1
    access_key_id: canary
    secret_access_key: "${{env.AWS_SECRET_ACCESS_KEY}}"
  pg: {{url: "postgresql://u@h/d", password: "${{env.AWS_SECRET_ACCESS_KEY}}"}}
mappings:
  docs: {{source: ./docs, target: "lake:there"}}
"""
VERBS = (
    ("validate",), ("plan",), ("plan", "--json"), ("plan", "--format", "html"), ("plan", "--format", "markdown"),
    ("plan", "--out", "saved"), ("show", "saved"), ("apply", "saved", "-vv"), ("apply", "--auto-approve", "--json"),
    ("status",), ("status", "--json"), ("history",), ("history", "1", "--json"), ("why", "a.txt"), ("ls", "docs"),
    ("verify",), ("graph",), ("state", "list"), ("state", "show", "--json"), ("state", "pull", "copy.db"),
    ("lock", "show"), ("conflicts",), ("schema",), ("init", "--from", "reconcile.yaml"), ("create", "lake:"),
    ("destroy", "--auto-approve"), ("reset", "--auto-approve"),
)  # fmt: skip


@pytest.fixture
def s3():
    with FakeS3() as server:
        yield server


@pytest.fixture(params=["local state", "shared state"])
def lake(place, s3, request):
    """A place whose target, and perhaps whose state, is the fake, reached with the canary."""
    state = "state/reconcile.db" if request.param == "local state" else "lake:state"
    place.write("reconcile.yaml", SPEC.format(endpoint=s3.endpoint, state=state))
    return place


def sent(s3: FakeS3) -> str:
    """All that ever arrived."""
    return "\n".join(map(repr, s3.log))


def say_all(place: Any, verbs: tuple[tuple[str, ...], ...] = VERBS) -> dict[tuple[str, ...], int]:
    """Runs the verbs; every byte they say is free of the canary. Their exit codes."""
    codes = {}
    for words in verbs:
        told = place(*words)
        assert CANARY not in told.out + told.err, words
        codes[words] = told.code
    return codes


@pytest.mark.hazard("S01", "S15")
def test_no_verb_writes_says_or_sends_a_secret(lake, s3, own_home):
    codes = say_all(lake)
    assert codes["apply", "saved", "-vv"] == codes["verify",] == codes["destroy", "--auto-approve"] == 0
    assert any("AWS4-HMAC-SHA256" in request.headers.get("authorization", "") for request in s3.log)
    assert CANARY not in sent(s3)
    assert holding(CANARY.encode(), [lake.root, own_home]) == []


@pytest.mark.hazard("S01")
@pytest.mark.parametrize("code", ["SignatureDoesNotMatch", "AccessDenied", "InternalError", "ExpiredToken"])
def test_nor_when_the_store_refuses(lake, s3, own_home, code, monkeypatch):
    monkeypatch.setattr("reconcile.stores.patience.Patience.again", lambda *_: False)
    status = 500 if code == "InternalError" else 403
    faults = [s3.fault(op, refuse(status, code), times=10_000) for op in ("list", "put", "get", "head")]
    codes = say_all(lake)
    assert {codes["apply", "--auto-approve", "--json"], codes["plan",]} <= {1, 7}
    assert any(fault.fired for fault in faults)
    assert CANARY not in sent(s3)
    assert holding(CANARY.encode(), [lake.root, own_home]) == []


@pytest.mark.hazard("S01")
@pytest.mark.parametrize("endpoint", ["http://no.such.host.invalid", "https://127.0.0.1:1", "http://127.0.0.1:1"])
def test_nor_when_nobody_answers(place, own_home, endpoint, monkeypatch):
    monkeypatch.setattr("reconcile.stores.patience.Patience.again", lambda *_: False)
    place.write("reconcile.yaml", SPEC.format(endpoint=endpoint, state="state/reconcile.db"))
    codes = say_all(place, (("plan",), ("plan", "--json"), ("apply", "--auto-approve"), ("ls", "docs"), ("status",)))
    assert codes["plan",] == 1
    assert holding(CANARY.encode(), [place.root, own_home]) == []


@pytest.mark.hazard("S01", "S15")
@pytest.mark.parametrize(
    "bad",
    [
        'target: "s3://x:${env.AWS_SECRET_ACCESS_KEY}@bucket/there"', 'target: "./${env.AWS_SECRET_ACCESS_KEY}"',
        'target: "lake:${var.api_token}"', 'target: "lake:a", layout: "${env.AWS_SECRET_ACCESS_KEY}/{path}"',
        'target: "lake:a", include: ["${env.AWS_SECRET_ACCESS_KEY}"]', "target: [${env.AWS_SECRET_ACCESS_KEY}]",
        'target: "lake:a", object: {metadata: {by: "${var.api_token}"}}',
    ],
)  # fmt: skip
def test_a_secret_in_a_path_is_refused_and_not_shown(place, bad, own_home):
    text = SPEC.format(endpoint="http://127.0.0.1:1", state="state/reconcile.db")
    place.write("reconcile.yaml", text.replace('target: "lake:there"', bad))
    codes = say_all(place, (("validate",), ("validate", "--json"), ("plan",), ("apply", "--auto-approve", "--json")))
    assert set(codes.values()) == {1}
    assert holding(CANARY.encode(), [place.root, own_home]) == []


@pytest.mark.parametrize(
    "words",
    [
        ("ls", f"s3://user:{CANARY}@bucket/x"), ("sync", "./docs", f"s3://user:{CANARY}@bucket/x"),
        ("create", f"postgresql://u:{CANARY}@host/db"), ("plan", "--no-such", f"https://u:{CANARY}@h"),
        ("sync", "./docs", f"https://bucket.s3.amazonaws.com/x?X-Amz-Credential=a&X-Amz-Signature={CANARY}"),
        ("apply", "extra", f"s3://u:{CANARY}@h"), ("plan", "--var", f"x{CANARY}"),
    ],
)  # fmt: skip
def test_what_was_typed_is_not_said_again(place, words):
    told = place(*words)
    assert told.code in (1, 2)
    assert CANARY not in told.out + told.err


@pytest.mark.hazard("S01")
@pytest.mark.parametrize("words", [("plan",), ("plan", "--json"), ("apply", "--auto-approve", "-vv")])
def test_a_traceback_shows_no_secret(lake, monkeypatch, words):
    """A defect of ours, whose message holds all it could: it is told, and the exit code is 1."""

    def defect(*_told: object) -> None:
        store_error = StoreError(f"https://u:{CANARY}@h/?X-Amz-Signature={CANARY}")
        raise ValueError(f"secret {CANARY} \x1b[2J\n::add-mask::x") from store_error

    for module in (planning, applying):
        monkeypatch.setattr(module, "make_plan", defect)
    monkeypatch.setattr("reconcile.cli.plan.make_plan", defect)
    told = lake(*words)
    assert told.code == 1
    assert "Traceback" in told.err
    assert "defect" in told.err
    assert CANARY not in told.out + told.err
    assert "***" in told.err
    assert "\x1b" not in told.err
    assert "\n::" not in told.err


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("GET https://u:pw@h/x?a=1", "GET https://***@h/x?a=1"),
        ("s3://b/k?X-Amz-Signature=abc&y=2", "s3://b/k?X-Amz-Signature=***&y=2"),
        ("token hunter22hunter22 in the midst", "token *** in the midst"),
        ("pass is short", "pass is short"),
        ("s3://bucket/a:b@c", "s3://bucket/a:b@c"),
    ],
)
def test_what_urls_carry_is_taken_out(text, told):
    environ = {"DATABRICKS_TOKEN": "hunter22hunter22", "PGPASSWORD": "pass", "HOME": "bucket22"}
    assert guarded(text, [], environ) == told


@pytest.mark.hazard("S13")
def test_what_is_ours_is_readable_by_its_owner_alone(place, own_home):
    """Whatever the umask is: state, journal, cache, saved plans, and all that lies in the target's `.reconcile`."""
    os.umask(0)
    place.ok("plan", "--out", "saved")
    place.applied()
    place.write("docs/a.txt", "changed, so that the old bytes are kept")
    place.write("docs/gone", "x")
    place.applied()
    (place.root / "docs" / "gone").unlink()
    place.applied()
    place.ok("state", "pull", "copy.db")
    ours = [place.root / name for name in ("state", "saved", "copy.db", "there/.reconcile")]
    ours += [own_home / ".cache" / "reconcile"]
    kept = ours[3] / "undo"
    found = {path: stat.S_IMODE(path.stat().st_mode) for top in ours for path in (top, *top.rglob("*"))}
    open_to_others = {str(path): oct(mode) for path, mode in found.items() if mode & 0o077 and not _is_kept(path, kept)}
    assert open_to_others == {}
    assert len(found) > 12


def _is_kept(path: Path, kept: Path) -> bool:
    """Kept bytes are second names of the files they were, in directories of ours: those may say who reads them."""
    return path.is_file() and path.is_relative_to(kept)
