"""What an Autosync pattern matched by the place of the folder is told by name, and nothing else is."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st
import pytest

from reconcile.spec import searched
from reconcile.spec.searched import Folder, differences, folder_of
from reconcile.spec.translate import from_autosync

FILES = ["a.py", "tests/t.py", "docs/x.md"]
BELOW_TESTS = Folder("/home/me/tests", "repo")


@pytest.mark.parametrize("pattern", ["/tests/", "tests", r"me/te.*/", r"^/home/", ".ome/.*/repo", "(?i)/TESTS/"])
def test_a_pattern_that_matches_above_the_folder_matched_every_file(pattern):
    (told,) = differences({"nor": [pattern]}, BELOW_TESTS, FILES)
    assert told.startswith(f"patterns.nor: {pattern} matches in /home/me/tests/, so every file matched it")


@pytest.mark.parametrize("pattern", [r"\.py$", "", ".", "repo", "/repo/", r"o/.*\.py$", "/docs/", r".*\.md$", "[", "x"])
def test_a_pattern_that_answers_the_same_is_not_told(pattern):
    told = list(differences({"or": [pattern]}, BELOW_TESTS, FILES))
    assert told == [] or (pattern == "[" and "is not a regular expression" in told[0])


@pytest.mark.parametrize(
    ("pattern", "told"),
    [
        (r"^/home/me/tests/repo/docs/", "no longer matches docs/x.md"),
        (r"me/.*\.py$", "no longer matches a.py and 1 more"),
        (r"^/repo/docs/", "now matches docs/x.md"),
    ],
)
def test_a_pattern_that_needs_what_stands_above_is_tried_on_the_files(pattern, told):
    where = ": here it is searched in /repo/<path>, without /home/me/tests/"
    assert list(differences({"or": [pattern]}, BELOW_TESTS, FILES)) == [f"patterns.or: {pattern} {told}{where}"]


@given(
    st.from_regex(r"\A(\^)?/?(tests|repo|docs|me)?/?(\.\*)?(\\\.py|x)?\$?\Z"),
    st.lists(st.sampled_from(["a", "tests", "docs", "me", "repo", "x.py"]), min_size=1, max_size=4).map("/".join),
)
def test_what_is_not_told_is_the_same(pattern, file):
    silent = not list(differences({"or": [pattern]}, BELOW_TESTS, [file]))
    then, now = (bool(re.search(pattern, subject)) for subject in (f"{BELOW_TESTS.path}/{file}", f"/repo/{file}"))
    assert then == now or not silent


@pytest.mark.parametrize(
    ("local_root", "folder"),
    [
        (r"C:\Users\me\tests\repo", Folder("C:/Users/me/tests", "repo")),
        ("C:/Users/me/repo/", Folder("C:/Users/me", "repo")),
        ("D:\\repo\\", Folder("D:", "repo")),
        (r"\\server\share\repo", Folder("//server/share", "repo")),
        ("/home/me/repo/", Folder("/home/me", "repo")),
        ("./sub/../repo", Folder("/config/of", "repo")),
        ("sub\\repo", Folder("/config/of/sub", "repo")),
        (".", Folder("/config", "of")),
    ],
)
def test_the_folder_of_a_local_root(local_root, folder):
    assert folder_of(local_root, "/config/of") == folder


def warned(config, file="config.yaml"):
    return "\n".join(from_autosync(config, file)[1])


def test_a_path_of_windows_is_told_and_its_parents_are_tried():
    told = warned("local_root: C:\\Users\\me\\tests\\repo\npatterns: {or: ['\\.py$'], nor: ['/tests/']}\n")
    assert "local_root: C:/Users/me/tests/repo is a path of Windows" in told
    assert "patterns.nor: /tests/ matches in C:/Users/me/tests/, so every file matched it" in told
    assert "patterns.or" not in told
    assert "the files are not here to try them on" in told


def test_the_files_of_this_machine_are_tried(tmp_path):
    repo = tmp_path / "tests" / "repo"
    for name in ("a.py", "sub/b.py", ".git/c.py"):
        (repo / name).parent.mkdir(parents=True, exist_ok=True)
        (repo / name).touch()
    config = "local_root: repo\n{}patterns: {{or: ['ests/.*\\.py$', '\\.py$']}}\n"
    told = warned(config.format(""), str(tmp_path / "tests" / "config.yaml"))
    assert "no longer matches a.py and 1 more: here" in told
    assert "no longer matches a.py: here" in warned(
        config.format("recursive: no\n"), str(tmp_path / "tests" / "config.yaml")
    )
    assert "the whole path" not in told, "everything is exact: nothing is left to say in general"
    none = warned("local_root: repo\npatterns: {or: [nowhere]}\n", str(tmp_path / "tests" / "config.yaml"))
    assert f"patterns: not one of the files in {repo} is taken by them" in none


@pytest.mark.parametrize(
    ("lists", "none"),
    [
        ({"or": ["q"]}, True),
        ({"or": ["q", r"\.md$"]}, False),
        ({"and": ["a", "q"]}, True),
        ({"nor": ["/repo/"]}, True),
        ({"nor": ["q"], "nand": [r"\.py$", "tests"]}, False),
        ({"nand": ["/repo/"]}, True),
        ({"or": ["["]}, False),
        ({}, False),
    ],
)
def test_lists_that_take_no_file_are_told(lists, none):
    assert searched.takes_none(lists, BELOW_TESTS, FILES) is none
    assert not searched.takes_none(lists, BELOW_TESTS, [])


def test_so_many_files_are_tried_and_no_more(tmp_path, monkeypatch):
    for name in "abc":
        (tmp_path / name).touch()
    monkeypatch.setattr(searched, "MOST_FILES", 2)
    assert searched.files_of(Folder(str(tmp_path.parent), tmp_path.name), recursive=True) == ["a", "b"]
