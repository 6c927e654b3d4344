"""What gitignore patterns mean, compiled to regular expressions that answer in linear time.

The rules are those of git, which its manual and `wildmatch.c` tell and the tests compare with git itself: the last
matching line wins, `!` takes back, a pattern without a slash (but at its end) matches at any depth, a slash at the end
means directories only, `**` between slashes any number of directories. Where git sees bytes, `?` and `[…]` see
characters, and a set that holds a slash never matches.

A star between two fixed parts takes the first fit and never comes back to it, in a segment as well as between
segments; that is always right, for what stands between two stars has one length, and it leaves nothing to backtrack.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import groupby, takewhile
import re
from typing import Final

from msgspec import Struct

from reconcile.scan.brackets import NeverError, bracket

Matcher = Callable[[str], re.Match[str] | None]

_SPECIAL: Final = re.compile(r"[*?\[\\]")

_DIRECTORIES: Final = "(?:[^/]++/)*?"
"""Any number of whole directories, as few as will do."""


class Rule(Struct, frozen=True):
    """One line: a regular expression, whether it takes back, whether it is for directories only.

    The expression is for the whole path, or for the name alone when the rule is `floating`. `head` is the literal path
    that everything the rule matches begins with, segment by segment; "" when there is none.
    """

    regex: str
    floating: bool
    negated: bool
    directories: bool
    head: str


def parse(line: str) -> Rule | None:
    """The rule in one line of an ignore file or one item of a list; None for a comment or what never matches."""
    pattern = _trimmed(line)
    if not pattern or pattern[0] == "#":
        return None
    negated = pattern[0] == "!"
    pattern = pattern[negated:]
    directories = pattern.endswith("/")
    pattern = pattern[: len(pattern) - directories]
    if not pattern:
        return None
    floating = "/" not in pattern
    segments = pattern.removeprefix("/").split("/")
    try:
        regex = _segment(pattern) if floating else _path(segments)
    except NeverError:
        return None
    return Rule(regex, floating, negated, directories, "" if floating else _head(segments))


class Globs:
    """Lines in the order of their file; the last that matches decides."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._rules = [rule for line in lines if (rule := parse(line)) is not None]
        self._for_files = _verdicts(rule for rule in self._rules if not rule.directories)
        self._for_directories = _verdicts(self._rules)

    def __bool__(self) -> bool:
        return bool(self._rules)

    def verdict(self, path: str, *, directory: bool) -> bool | None:
        """True when the last matching line is a plain one, False when it takes back, None when none matches.

        `path` is relative to where the lines apply; only itself is matched, never what is above it.
        """
        for fullmatch, taken in self._for_directories if directory else self._for_files:
            if fullmatch(path) is not None:
                return taken
        return None

    def heads(self) -> tuple[str, ...]:
        """The literal paths below which alone a plain line can match; ("",) when anywhere."""
        return tuple(sorted({rule.head for rule in self._rules if not rule.negated}))


def _verdicts(rules: Iterable[Rule]) -> list[tuple[Matcher, bool]]:
    """One matcher for each run of lines that say the same, the last run first."""
    runs = [(negated, list(run)) for negated, run in groupby(rules, key=lambda rule: rule.negated)]
    return [(_matcher(run), not negated) for negated, run in reversed(runs)]


def _matcher(rules: list[Rule]) -> Matcher:
    """Whether any of the rules matches a path; the way to its name is gone once for all that look at the name only."""
    paths = [rule.regex for rule in rules if not rule.floating]
    names = "|".join(rule.regex for rule in rules if rule.floating)
    if names:
        paths.append(f"(?:[^/]++/)*+(?:{names})")
    return re.compile("|".join(paths), re.DOTALL).fullmatch


def _trimmed(line: str) -> str:
    """Without the line's end and the spaces before it, unless a backslash keeps the last."""
    line = line.rstrip("\n").removesuffix("\r")
    kept = line.rstrip(" ")
    backslashes = len(kept) - len(kept.rstrip("\\"))
    return line[: len(kept) + 1] if backslashes % 2 else kept


def _head(segments: list[str]) -> str:
    literal = list(takewhile(lambda segment: not _SPECIAL.search(segment), segments))
    return "/".join(literal)


def _path(segments: list[str]) -> str:
    """The expression of a pattern with slashes: runs of segments with any number of directories between them."""
    runs: list[list[str]] = [[]]
    for segment in segments:
        if _is_deep(segment):
            runs.append([])
        else:
            runs[-1].append(_segment(segment))
    first, *others = ["/".join(run) for run in runs]
    if not others:
        return first
    *middle, last = others
    out = [first + "/" if runs[0] else ""]
    out += [f"(?>{_DIRECTORIES}{run}/)" for run in middle if run]
    out.append(_DIRECTORIES + last if runs[-1] else ".+")
    return "".join(out)


def _is_deep(segment: str) -> bool:
    """Whether a segment is `**` (git takes more stars for the same)."""
    return len(segment) > 1 and not segment.strip("*")


def _segment(glob: str) -> str:
    """The expression of a pattern without slashes, for one segment of a path."""
    fixed = [""]
    at = 0
    while at < len(glob):
        char = glob[at]
        if char == "*":
            fixed.append("")
            at += 1
            continue
        token, at = _token(glob, at)
        fixed[-1] += token
    first, *others = fixed
    if not others:
        return first
    between = [f"(?>[^/]*?{part})" for part in others[:-1] if part]
    return f"{first}{''.join(between)}[^/]*{others[-1]}"


def _token(glob: str, at: int) -> tuple[str, int]:
    """The expression for the one character that the pattern wants at `at`, and where it goes on."""
    char = glob[at]
    if char == "?":
        return "[^/]", at + 1
    if char == "[":
        return bracket(glob, at + 1)
    if char == "\\":
        at += 1
        if at == len(glob):
            raise NeverError
    return re.escape(glob[at]), at + 1
