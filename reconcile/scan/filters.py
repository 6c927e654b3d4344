"""Which paths are in scope: the patterns of a mapping, its ignore files, and what is never sent.

A path is out when a rule takes it, or any directory above it, out; as in git nothing below such a directory comes back
in. From the strongest rule to the weakest: what is never sent and the excluded keys; `exclude`; the ignore files, the
innermost directory first. What is left is in when `include` names it or a directory above it (or is empty), and
Autosync's four lists agree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import Enum
import re
from typing import Final

from msgspec import Struct

from reconcile.core.errors import UsageError
from reconcile.core.path import expression, is_control, is_under, parents
from reconcile.scan.gitignore import Globs

REMEMBERED_DIRECTORIES: Final = 10_000
"""Verdicts on directories kept; a march asks for neighbours, so older ones are never missed."""

_BOM: Final = b"\xef\xbb\xbf"


Search = Callable[[str], re.Match[str] | None]


class Rules(Struct, frozen=True):
    """The filters of one mapping, in the words of the spec.

    `or_`, `and_`, `nor`, `nand` are Autosync's lists of Python regexes, searched in `/<source_name>/<key>`; an empty
    one counts as met. Sizes in bytes, None: no limit. `excluded_keys`: files or directories inside the root that belong
    to somebody else (another mapping's target, the state).
    """

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    ignore_files: tuple[str, ...] = ()
    or_: tuple[str, ...] = ()
    and_: tuple[str, ...] = ()
    nor: tuple[str, ...] = ()
    nand: tuple[str, ...] = ()
    min_size: int | None = None
    max_size: int | None = None
    recursive: bool = True
    source_name: str = ""
    excluded_keys: tuple[str, ...] = ()


class _Place(Enum):
    """How a directory stands to the filters."""

    OUT = 0
    """Nothing below it is in scope."""
    PART = 1
    """Below it only what `include` names is."""
    WHOLE = 2
    """All below it is, but for what other rules take out."""


_OUT, _PART, _WHOLE = _Place


class Filter:
    """The `Selection` that `Rules` describe; the walk teaches it the ignore files it meets.

    Many threads may ask while one walk teaches, each about keys which that walk has passed.
    """

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._include = Globs(rules.include)
        self._exclude = Globs(rules.exclude)
        self._has_include, self._has_exclude = bool(rules.include), bool(self._exclude)
        self._recursive = rules.recursive
        self._excluded_keys = frozenset(rules.excluded_keys)
        self._lists = [_searches(listed) for listed in (rules.or_, rules.and_, rules.nor, rules.nand)]
        self._has_lists = any(self._lists)
        self._path_rules = self._has_include or self._has_exclude or self._has_lists or bool(rules.excluded_keys)
        self._heads = self._include.heads() if self._has_include else ("",)
        self._learned: dict[str, Globs] = {}
        self._places: dict[str, _Place] = {}

    @property
    def everything(self) -> bool:
        """No path rule at all, so far."""
        return self._recursive and not self._path_rules and not self._learned

    @property
    def ignore_files(self) -> tuple[str, ...]:
        """The names of ignore files; in one directory the rules of a later name win."""
        return self._rules.ignore_files

    def learn(self, directory: str, text: bytes) -> None:
        """Takes `text` for all the rules of a directory; none when it is empty, so the next walk finds no old ones."""
        globs = Globs(text.removeprefix(_BOM).decode("utf-8", "replace").split("\n")) if text else None
        if globs:
            self._learned[directory] = globs
        elif self._learned.pop(directory, None) is None:
            return
        self._places = {}

    def file(self, key: str) -> bool:
        """Whether a file is in scope by its path."""
        cut = key.rfind("/")
        directory = key[:cut] if cut != -1 else ""
        if directory and not self._recursive:
            return False
        place = self._places.get(directory) or self._place(directory)
        if place is _OUT or self._is_out(key, key[cut + 1 :], directory=False):
            return False
        if self._has_include:
            named = self._include.verdict(key, directory=False)
            if named is False or (named is None and place is _PART):
                return False
        return not self._has_lists or self._lists_agree(key)

    def descend(self, directory: str) -> bool:
        """Whether anything below a directory could be in scope."""
        if not self._recursive:
            return False
        place = self._place(directory)
        return place is _WHOLE or (place is _PART and self._is_reached(directory))

    def size(self, size_bytes: int) -> bool:
        """Whether a file of this size is in scope."""
        least, most = self._rules.min_size, self._rules.max_size
        return (least is None or size_bytes >= least) and (most is None or size_bytes <= most)

    def _place(self, directory: str) -> _Place:
        places = self._places
        known = places.get(directory)
        if known is not None:
            return known
        if len(places) > REMEMBERED_DIRECTORIES:
            self._places = places = {}
        place = places[""] = _PART if self._has_include else _WHOLE
        for at in (*parents(directory), directory) if directory else ():
            place = places.get(at) or places.setdefault(at, self._below(place, at))
        return place

    def _below(self, above: _Place, directory: str) -> _Place:
        if above is _OUT or self._is_out(directory, directory[directory.rfind("/") + 1 :], directory=True):
            return _OUT
        named = self._include.verdict(directory, directory=True)
        if named is None:
            return above
        return _WHOLE if named else _PART

    def _is_out(self, path: str, name: str, *, directory: bool) -> bool:
        """Whether a rule takes this very path, called `name`, out; the directories above it are asked apart."""
        if path in self._excluded_keys or is_control(name):
            return True
        verdict = self._exclude.verdict(path, directory=directory) if self._has_exclude else None
        if verdict is None and self._learned:
            verdict = self._ignored(path, directory=directory)
        return verdict is True

    def _ignored(self, path: str, *, directory: bool) -> bool | None:
        for at in reversed(["", *parents(path)]):
            globs = self._learned.get(at)
            if globs is not None:
                verdict = globs.verdict(path[len(at) + 1 :] if at else path, directory=directory)
                if verdict is not None:
                    return verdict
        return None

    def _is_reached(self, directory: str) -> bool:
        """Whether what `include` names could lie below a directory."""
        return any(
            not head or head == directory or is_under(head, directory) or is_under(directory, head)
            for head in self._heads
        )

    def _lists_agree(self, key: str) -> bool:
        """Autosync's rule: any of `or`, all of `and`, none of `nor`, not all of `nand`."""
        path = f"/{self._rules.source_name}/{key}"
        or_, and_, nor, nand = self._lists
        return (
            (not or_ or _finds_any(or_, path))
            and (not and_ or _finds_all(and_, path))
            and (not nor or not _finds_any(nor, path))
            and (not nand or not _finds_all(nand, path))
        )


def _finds_any(searches: list[Search], path: str) -> bool:
    return any(search(path) for search in searches)


def _finds_all(searches: list[Search], path: str) -> bool:
    return all(search(path) for search in searches)


def _searches(patterns: Iterable[str]) -> list[Search]:
    try:
        return [expression(pattern).search for pattern in patterns]
    except re.error as error:
        raise UsageError(f"`{error.pattern!s}` is not a regular expression: {error}") from error
