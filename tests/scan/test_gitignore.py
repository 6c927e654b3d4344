"""gitignore patterns mean what git means by them, and answer in linear time."""

import re
import shutil
import subprocess
import time

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
import pathspec
import pytest

from reconcile.core.path import parents
from reconcile.scan.gitignore import Globs, parse

PATHS = [
    "a", "a.py", "b.py", "sub/a.py", "sub/deep/a.py", "sub/deep/b.csv", "build/x", "x/build/y", "docs/a.md",
    "docs/api/b.md", "a b", "a b ", "#x", "!x", "x.PY", "[a]", "a[", "-", "sub/a", "sub/b/a/c", "a/b/c/d", "aab", "axb",
    "a/xb", "é.py", "new\nline.py", "sub/.hidden", ".hidden", "*", "a*b", "\\a", "a/ab/b", "abab/abc", "b/b/b/b",
]  # fmt: skip

CORPUS = [
    ["*.py"], ["**/*.csv"], ["build"], ["build/"], ["/build"], ["/a.py"], ["sub/a.py"], ["docs/**"], ["docs/*"],
    ["**/a.py"], ["sub/**/a.py"], ["**"], ["**/"], ["*"], ["*/"], ["/*"], ["/**"], ["/"], [""], ["#x"], [r"\#x"],
    [r"\!x"], ["a b"], ["a b "], [r"a b\ "], ["a?b"], ["[ab].py"], ["[!a].py"], ["[^a].py"], ["[a-c]*"], ["[]a]"],
    ["[]-]"], [r"[\]]"], ["[a"], ["a["], [r"\*"], [r"a\*b"], ["a**b"], ["a/**b"], ["**a"], ["a/**/**/d"], ["**/b/**"],
    ["[[:alpha:]].py"], ["[[:space:]]"], ["a\\"], [r"\a"], ["***/a.py"], ["sub/*/a.py"], ["*.py", "!b.py"],
    ["*", "!*.py"], ["!a.py"], ["sub/", "!sub/a.py"], ["sub/*", "!sub/deep"], ["sub/*", "!sub/deep/"], ["a*b*c"],
    ["*a*b"], ["*.py", "!sub/*.py", "sub/deep"], [".hidden"], ["é*"], ["a//b"], ["//a"], ["/a/b/"], ["x.PY"], ["a*/b"],
    ["*.py\r"], ["  "], ["?"], ["??"], ["sub/?"], ["[a-]"], ["[--0]"], ["[z-a]"], ["[!!]"], ["[[:nope:]]"],
]  # fmt: skip


def ignored(lines, path, *, directory=False):
    """As git asks: the path is ignored with any directory above it."""
    globs = Globs(lines)
    if any(globs.verdict(above, directory=True) for above in parents(path)):
        return True
    return globs.verdict(path, directory=directory) is True


def takes_one_character(lines):
    """Whether a line has a `?` or a set: there git sees the bytes of a character, and we the character."""
    return any("?" in line or "[" in line for line in lines)


@pytest.fixture(scope="module")
def git(tmp_path_factory):
    if shutil.which("git") is None:
        pytest.skip("git is not here")
    root = tmp_path_factory.mktemp("git")
    subprocess.run(["git", "init", "-q", root], check=True)
    (root / ".git/info/exclude").unlink(missing_ok=True)

    def check(lines, paths):
        (root / ".gitignore").write_bytes("\n".join(lines).encode() + b"\n")
        asked = subprocess.run(
            ["git", "-c", "core.excludesFile=/dev/null", "-C", root, "check-ignore", "--no-index", "-z", "--stdin"],
            input=b"\0".join(path.encode() for path in paths) + b"\0",
            capture_output=True,
            check=False,
        )
        assert asked.returncode in (0, 1), asked.stderr
        return set(asked.stdout.decode().split("\0")) - {""}

    return check


@pytest.mark.parametrize("lines", CORPUS, ids=repr)
def test_git_says_the_same(git, lines):
    asked = [path for path in PATHS if path.isascii() or not takes_one_character(lines)]
    assert {path for path in asked if ignored(lines, path)} == git(lines, asked)


PLAIN = [lines for lines in CORPUS if len(lines) == 1 and not set("[!\\") & set(lines[0]) and "***" not in lines[0]]


@pytest.mark.parametrize("lines", PLAIN, ids=repr)
def test_pathspec_says_the_same(lines):
    spec = pathspec.GitIgnoreSpec.from_lines(lines)
    assert {path for path in PATHS if ignored(lines, path)} == {path for path in PATHS if spec.match_file(path)}


names = st.text("ab.*é", min_size=1, max_size=4).filter(lambda name: name not in (".", ".."))
paths = st.lists(names, min_size=1, max_size=4).map("/".join)
segments = st.text("ab.*?é", min_size=1, max_size=5) | st.just("**")
MISREAD = re.compile(r"!?/?[^*?]+\*\*+/")
"""Git before 2.52 forgets the letter before the stars, and takes `a**/b` for `a` and then `**/b`: `ab` too."""

patterns = st.builds(
    lambda parts, anchor, tail, taken_back: taken_back + anchor + "/".join(parts) + tail,
    st.lists(segments, min_size=1, max_size=4),
    st.sampled_from(["", "", "/"]),
    st.sampled_from(["", "", "/"]),
    st.sampled_from(["", "", "", "!"]),
).filter(lambda pattern: not MISREAD.match(pattern))


@given(st.lists(patterns, min_size=1, max_size=4), st.lists(paths, min_size=1, max_size=20, unique=True))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_git_says_the_same_of_anything(git, lines, asked):
    asked = [path for path in asked if path.isascii() or not takes_one_character(lines)] or ["a"]
    assert {path for path in asked if ignored(lines, path)} == git(lines, asked)


sets = st.builds(
    lambda before, turned, members, after: f"{before}[{turned}{''.join(members)}]{after}",
    st.sampled_from(["", "a", "*"]),
    st.sampled_from(["", "!", "^"]),
    st.lists(st.sampled_from(["a", "b", "-", "]", "[", "\\", "[:alpha:]", "[:digit:]", ":", "!", "a-c"]), max_size=4),
    st.sampled_from(["", "b", "*"]),
)


@given(sets)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_git_reads_sets_the_same(git, line):
    asked = [
        "a",
        "b",
        "c",
        "-",
        "]",
        "[",
        "\\",
        "1",
        "ab",
        "bb",
        "a]",
        "[]",
        "!",
        "^",
        "aa",
        "a-b",
        "x]b",
        "ab]",
        "a-]",
    ]
    assert {path for path in asked if ignored([line], path)} == git([line], asked)


@given(st.lists(patterns.filter(lambda line: line[0] != "!"), min_size=1, max_size=3), st.lists(paths, max_size=10))
@settings(max_examples=300, deadline=None)
def test_pathspec_says_the_same_of_anything(lines, asked):
    lines = [line for line in lines if "***" not in line and not line.endswith("**/")]  # there it is not git
    spec = pathspec.GitIgnoreSpec.from_lines(lines)
    assert [ignored(lines, path) for path in asked] == [spec.match_file(path) for path in asked]


@pytest.mark.hazard("S17")
@pytest.mark.parametrize(
    "pattern",
    [
        "*a" * 30 + "b",
        "**/" * 1 + "*a*" * 20 + "/b",
        "**/a/" * 20 + "b",
        "a/**/" * 20 + "b",
        "**/*a/" * 15 + "b",
        "[ab]*" * 30 + "c",
        "?*" * 40 + "x",
        "**/*/" * 20 + "x",
    ],
)
def test_no_pattern_takes_long(pattern):
    globs = Globs([pattern])
    begun = time.perf_counter()
    assert globs.verdict("a" * 4000, directory=False) is None
    assert globs.verdict("a/" * 2000 + "a", directory=False) is None
    assert globs.verdict(("a" * 200 + "/") * 20 + "a", directory=False) is None
    assert time.perf_counter() - begun < 1.0


def test_a_head_is_what_everything_matched_begins_with():
    assert [parse(line).head for line in ("src/lib/*.py", "/src", "*.py", "src", "**/src", "src/", "/a/b")] == [
        "src/lib", "src", "", "", "", "", "a/b",
    ]  # fmt: skip
