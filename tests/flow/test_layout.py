"""Layouts: the key a path has in the target, and the files that would have none, or another's."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from reconcile.core.entry import Digest, Entry, Kind, Problem, Version
from reconcile.core.errors import DeniedError, PlanError
from reconcile.core.traits import Traits
from reconcile.flow.layout import lay_out, render
from tests.flow.world import World

DIGEST = Digest(bytes(range(32)))


@pytest.mark.parametrize(
    ("layout", "path", "key"),
    [
        ("{path}", "sub/a.b.tar.gz", "sub/a.b.tar.gz"),
        ("{dir}{stem}_{sha256:4}{suffix}", "sub/a.b.tar.gz", "sub/a.b.tar_0001.gz"),
        ("{dir}{name}", "top", "top"),
        ("{stem}|{suffix}", ".bashrc", ".bashrc|"),
        ("{stem}|{suffix}", "a/.x.y", ".x|.y"),
        ("{stem}|{suffix}", "name", "name|"),
        ("x/{sha256}", "a", f"x/{DIGEST.hex()}"),
    ],
)
def test_a_key_is_made_of_the_parts_of_a_path(layout: str, path: str, key: str) -> None:
    assert render(layout, path, DIGEST) == key


def laid(layout: str, *items: Entry | Problem, hashes: Any = None) -> list[Entry | Problem]:
    reader = SimpleNamespace(hashes=hashes or (lambda *_: SimpleNamespace(sha256=DIGEST)))
    target = SimpleNamespace(traits=Traits())
    wired: Any = SimpleNamespace(layout=layout, name="docs", reader=reader, target=target, memory=None)
    return list(lay_out(wired, items))


def entry(key: str, **more: Any) -> Entry:
    return Entry(key, 1, Version("v"), **more)


def test_two_files_with_one_key_are_an_error_unless_their_content_is_in_it() -> None:
    with pytest.raises(PlanError, match=r"a/x and b/x would both become x \(layout \{name\}\)"):
        laid("{name}", entry("a/x"), entry("b/x"))
    [one] = laid("{sha256}", entry("a/x"), entry("b/y"))
    assert (one.key, one.path) == (DIGEST.hex(), "a/x")  # type: ignore[union-attr]


def test_what_is_no_file_passes_and_what_cannot_be_read_is_a_problem() -> None:
    def denied(*_: object) -> Any:
        raise DeniedError("permission denied", op="read", hint="chmod")

    others = [Problem("p", "unread"), entry("d/", kind=Kind.DIRECTORY)]
    told = laid("{sha256}", *others, entry("a"), entry("b", digest=DIGEST), hashes=denied)
    assert told[:2] == others
    assert told[2] == Problem("a", "permission denied", hint="chmod")
    assert told[3].key == DIGEST.hex()


def test_a_key_that_no_path_has_is_an_error() -> None:
    with pytest.raises(PlanError, match="would become"):
        laid("{suffix}", entry("name"))


def test_a_file_that_moves_under_a_digest_of_its_own_is_history(tmp_path: Path) -> None:
    """A source that still exists under another key keeps what was sent before."""
    world = World(tmp_path, options={"layout": "{stem}_{sha256:8}{suffix}"})
    world.put(**{"a.csv": "one"})
    world.settled()
    world.put(**{"a.csv": "two"})
    world.settled()
    assert sorted(world.there().values()) == ["one", "two"]
