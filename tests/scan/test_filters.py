"""What is in scope: the filters of a mapping one by one, and together."""

import subprocess
import sys
from threading import Thread

from hypothesis import given
from hypothesis import strategies as st
import pytest

from reconcile.core.errors import UsageError
from reconcile.scan.filters import Filter, Rules
from tests.scan.trees import keys, plant, scan

TREE = dict.fromkeys(["a.py", "b.md", "docs/a.md", "docs/b.py", "tests/t.py", "src/x/y.py", "src/x/y.txt"], "")


def chosen(root, **rules):
    return keys(scan(plant(root, TREE), rules=Rules(**rules)))


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ({}, sorted(TREE)),
        ({"include": ("*.py",)}, ["a.py", "docs/b.py", "src/x/y.py", "tests/t.py"]),
        ({"include": ("**/*.py",), "exclude": ("tests/**",)}, ["a.py", "docs/b.py", "src/x/y.py"]),
        ({"include": ("src",)}, ["src/x/y.py", "src/x/y.txt"]),
        ({"include": ("src/", "!*.txt")}, ["src/x/y.py"]),
        ({"include": ("src/", "!src/x")}, []),
        ({"include": ("/docs/*.md", "a.py")}, ["a.py", "docs/a.md"]),
        ({"exclude": ("docs", "tests/", "src/")}, ["a.py", "b.md"]),
        ({"exclude": ("docs/", "!docs/a.md")}, ["a.py", "b.md", "src/x/y.py", "src/x/y.txt", "tests/t.py"]),
        ({"exclude": ("docs/*", "!docs/a.md", "src", "tests")}, ["a.py", "b.md", "docs/a.md"]),
        ({"include": ("[never",)}, []),
        ({"recursive": False}, ["a.py", "b.md"]),
        ({"excluded_keys": ("src/x", "a.py")}, ["b.md", "docs/a.md", "docs/b.py", "src/", "tests/t.py"]),
        ({"or_": (r"\.py$", r"\.txt$")}, ["a.py", "docs/b.py", "src/x/y.py", "src/x/y.txt", "tests/t.py"]),
        ({"and_": ("src", "txt")}, ["src/x/y.txt"]),
        ({"nor": ("/tests/", "md$")}, ["a.py", "docs/b.py", "src/x/y.py", "src/x/y.txt"]),
        ({"nand": ("docs", "py$")}, ["a.py", "b.md", "docs/a.md", "src/x/y.py", "src/x/y.txt", "tests/t.py"]),
        ({"or_": ("^/team/a",), "source_name": "team"}, ["a.py"]),
    ],
    ids=str,
)
def test_rules_choose(tmp_path, rules, expected):
    files = [key for key in chosen(tmp_path, **rules) if not key.endswith("/") or key in expected]
    assert files == expected


def test_sizes_are_asked_apart(tmp_path):
    rules = Rules(min_size=1, max_size=10)
    assert [Filter(rules).size(size) for size in (0, 1, 10, 11)] == [False, True, True, False]
    assert keys(scan(plant(tmp_path, {"empty": ""}), rules=rules)) == ["empty"]
    assert Filter(rules).everything


def test_a_list_that_is_no_regex_says_which():
    with pytest.raises(UsageError, match=r"`\(a` is not a regular expression"):
        Filter(Rules(nor=("(a",)))


IGNORING = Rules(ignore_files=(".reconcileignore", ".gitignore"))


def test_ignore_files_nest_and_the_inner_one_wins(tmp_path):
    plant(
        tmp_path,
        {
            ".reconcileignore": "*.log\n/build/\n",
            "a.log": "",
            "build/x": "",
            "sub/.reconcileignore": "\ufeff!keep.log\r\n/only-here\r\n",
            "sub/keep.log": "",
            "sub/other.log": "",
            "sub/only-here": "",
            "sub/build/x": "",
            "only-here": "",
        },
    )
    found = [key for key in keys(scan(tmp_path, rules=IGNORING)) if not key.endswith("ignore")]
    assert found == ["only-here", "sub/build/x", "sub/keep.log"]
    assert keys(scan(tmp_path, "sub", rules=IGNORING)) == ["sub/.reconcileignore", "sub/build/x", "sub/keep.log"]
    assert scan(tmp_path, "build", rules=IGNORING) == []


def test_a_later_ignore_file_of_the_same_directory_wins(tmp_path):
    plant(tmp_path, {".gitignore": "!a", ".reconcileignore": "a\nb", "a": "", "b": ""})
    assert [key for key in keys(scan(tmp_path, rules=IGNORING)) if key[0] != "."] == ["a"]


def test_exclude_is_stronger_than_any_ignore_file(tmp_path):
    plant(tmp_path, {".gitignore": "!a.log\nb.txt", "a.log": "", "b.txt": ""})
    rules = Rules(ignore_files=(".gitignore",), exclude=("*.log", "!b.txt", ".gitignore"))
    assert keys(scan(tmp_path, rules=rules)) == ["b.txt"]


def test_an_ignored_directory_is_not_entered(tmp_path):
    plant(tmp_path, {".gitignore": "out/", "out/.gitignore": "!x", "out/x": "", "a": ""})
    assert keys(scan(tmp_path, rules=IGNORING)) == [".gitignore", "a"]


def test_ignore_files_count_only_when_named(tmp_path):
    plant(tmp_path, {".gitignore": "a", "a": ""})
    assert keys(scan(tmp_path)) == [".gitignore", "a"]


@pytest.mark.hazard("L30")
def test_a_key_the_source_no_longer_shows_is_told_ignored_from_gone(tmp_path):
    plant(tmp_path, {".reconcileignore": "*.log", "sub/.reconcileignore": "tmp/"})
    chooses = Filter(IGNORING)
    from reconcile.scan.walk import walk

    list(walk(str(tmp_path), selection=chooses))
    assert not chooses.everything
    assert [chooses.file(key) for key in ("gone", "gone/deep/x", "sub/x")] == [True, True, True]
    assert [chooses.file(key) for key in ("x.log", "gone/x.log", "sub/tmp/x", ".git/x", "gone/.git/x")] == [False] * 5


def test_the_next_walk_forgets_rules_that_are_gone(tmp_path):
    from reconcile.scan.walk import walk

    chooses = Filter(IGNORING)
    plant(tmp_path, {".reconcileignore": "a", "a": "", "b": ""})
    assert keys(walk(str(tmp_path), selection=chooses)) == [".reconcileignore", "b"]
    plant(tmp_path, {".reconcileignore": "b"})
    assert keys(walk(str(tmp_path), selection=chooses)) == [".reconcileignore", "a"]
    (tmp_path / ".reconcileignore").unlink()
    assert keys(walk(str(tmp_path), selection=chooses)) == ["a", "b"]
    assert chooses.everything


def test_only_directories_that_could_matter_are_entered():
    chooses = Filter(Rules(include=("/src/lib/*.py", "docs/**", "!docs/tmp/**"), exclude=("**/vendor",)))
    asked = ["src", "src/lib", "src/lib/deep", "docs", "docs/a", "other", "src/other", "src/lib/vendor", ".git", "srcs"]
    assert [directory for directory in asked if chooses.descend(directory)] == [
        "src", "src/lib", "src/lib/deep", "docs", "docs/a",
    ]  # fmt: skip
    assert Filter(Rules(include=("*.py",))).descend("anything")


segment = st.text("ab.", min_size=1, max_size=2).filter(lambda name: name.strip("."))
key = st.lists(segment, min_size=1, max_size=4).map("/".join)
pattern = st.lists(segment | st.sampled_from(["*", "**", "a*"]), min_size=1, max_size=3).map("/".join)
pattern = pattern | pattern.map("/{}".format) | pattern.map("{}/".format) | pattern.map("!{}".format)


@given(st.lists(pattern, max_size=3), st.lists(pattern, max_size=3), key)
def test_a_file_in_scope_lies_below_directories_that_are_entered(include, exclude, path):
    from reconcile.core.path import parents

    chooses = Filter(Rules(include=tuple(include), exclude=tuple(exclude)))
    if chooses.file(path):
        assert all(chooses.descend(directory) for directory in parents(path))


@given(st.lists(pattern, max_size=3), st.lists(pattern, max_size=3), st.lists(key, min_size=1, max_size=8))
def test_what_was_asked_before_does_not_matter(include, exclude, paths):
    rules = Rules(include=tuple(include), exclude=tuple(exclude))
    one = Filter(rules)
    assert [one.file(path) for path in paths] == [Filter(rules).file(path) for path in paths]


def test_many_threads_may_ask_while_the_walk_teaches():
    chooses = Filter(Rules(exclude=("*.tmp",), ignore_files=("x",)))
    answers = []

    def ask():
        answers.extend(chooses.file(f"d{number}/a.tmp") or not chooses.file(f"d{number}/a") for number in range(2000))

    asking = [Thread(target=ask) for _ in range(3)]
    for thread in asking:
        thread.start()
    for number in range(2000):
        chooses.learn(f"e{number}", b"a")
    for thread in asking:
        thread.join()
    assert len(answers) == 6000
    assert not any(answers)


def test_filters_cost_no_import():
    asked = "import sys, reconcile.scan.walk, reconcile.scan.filters; print({'pathspec', 'sqlite3'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True).stdout == "set()\n"
