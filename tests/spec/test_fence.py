"""`unmanaged: delete` takes away what others put there, so it is refused where everybody puts things."""

from __future__ import annotations

import pytest

from reconcile.core.errors import SpecError
from reconcile.spec.load import build

STORES = {"dbx": {"url": "dbfs:/", "profile": "DEV"}, "landing": {"url": "/Volumes/main/raw/landing"}}


def spec_with(target, **words):
    mapping = {"source": "./a", "target": target, **words}
    return build({"version": 1, "stores": STORES, "mappings": {"one": mapping}}, root="/r", environ={"USER": "ada"})


@pytest.mark.hazard("R30")
@pytest.mark.parametrize(
    ("target", "what"),
    [
        ("dbfs:/", "all of dbfs:/"),
        ("dbfs:///", "all of dbfs:/"),
        ("dbx:", "all of dbfs:/"),
        ("dbfs:/FileStore", "all of dbfs:/FileStore"),
        ("dbx:FileStore/packages/", "all of dbfs:/FileStore/packages"),
        ("dbfs:/tmp", "all of dbfs:/tmp"),
        ("dbfs:/mnt/lake", "the whole mount"),
        ("/Volumes/main/raw/landing", "the whole volume"),
        ("dbfs:/Volumes/main/raw/landing/", "the whole volume"),
        ("landing:", "the whole volume"),
        ("workspace:/", "all of /Workspace"),
        ("/Workspace/Users", "all of /Workspace/Users"),
        ("/Workspace/Shared", "all of /Workspace/Shared"),
        ("/Workspace/Users/${user}", "the home directory"),
    ],
)
def test_what_everybody_shares_is_not_emptied(target, what):
    with pytest.raises(SpecError) as caught:
        spec_with(target, unmanaged="delete")
    (problem,) = caught.value.problems
    assert f"`delete` would empty {what}; give the target a directory below" in problem
    assert spec_with(target).mappings, "as a target it is fine"


@pytest.mark.parametrize(
    "target",
    [
        "dbfs:/FileStore/packages/${user}/${source.name}",
        "dbx:team/mirror",
        "dbfs:/mnt/lake/team",
        "landing:incoming",
        "/Volumes/main/raw/landing/incoming",
        "/Workspace/Users/${user}/repo",
        "/Workspace/Shared/team",
    ],
)
def test_a_directory_of_ones_own_may_be_kept_clean(target):
    assert spec_with(target, unmanaged="delete").mappings["one"].policy.unmanaged == "delete"
