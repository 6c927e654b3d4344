"""The kinds of places where deaths are tried, and which scenarios fit where."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
import os
from pathlib import Path
import shutil
import tempfile

import pytest

from reconcile.flow import reading, step, wire
from reconcile.stores import draft
from reconcile.stores.objects import s3_multipart
from reconcile.stores.objects import store as object  # noqa: A004 - our module
from tests.crash.places import Place
from tests.crash.scenarios import LARGE, SCENARIOS, Scenario
from tests.fakes.s3 import FakeS3

KINDS = ("local", "s3", "shared", "shared-s3")
"""A local target or one in S3, with a state of this machine, or a shared one."""

_SHARED = frozenset({"first apply", "everything", "state mv", "state rm", "reset", "destroy", "saved plan", "hold"})
_MEMORY = Path("/dev/shm")
"""Where it is, a sync costs nothing; a killed process loses no page anyway."""


def of_kind(kind: str) -> list[Scenario]:
    """The scenarios that make sense at a kind of place."""
    on_s3 = [scenario for scenario in SCENARIOS if scenario.on_s3 or "s3" not in kind]
    return [scenario for scenario in on_s3 if "shared" not in kind or scenario.name in _SHARED]


@contextmanager
def place(kind: str) -> Iterator[Place]:
    """A place of a kind, with a cache of its own, where little is large already."""
    is_local = wire.is_local
    base = Path(tempfile.mkdtemp(dir=_MEMORY if os.access(_MEMORY, os.W_OK) else None))
    with ExitStack() as opened, pytest.MonkeyPatch.context() as patched:
        opened.callback(shutil.rmtree, base)
        patched.setenv("RECONCILE_CACHE_DIR", str(base / "world" / "cache"))
        s3 = opened.enter_context(FakeS3()) if "s3" in kind else None
        if s3 is not None:
            words = {"ENDPOINT_URL": s3.endpoint, "REGION": "us-east-1", "EC2_METADATA_DISABLED": "true"}
            for word, value in {**words, "ACCESS_KEY_ID": "testtest", "SECRET_ACCESS_KEY": "testtest"}.items():
                patched.setenv(f"AWS_{word}", value)
        for module in (step, reading, object):
            patched.setattr(module, "SMALL_BYTES", LARGE)
        patched.setattr(s3_multipart, "PART_BYTES", LARGE)
        patched.setattr(draft, "CHUNK_BYTES", LARGE)
        patched.setattr(wire, "is_local", lambda path: is_local(path) and Path(path).name != "shared")
        yield Place(kind, base / "world", s3)
