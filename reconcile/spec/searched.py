"""Where Autosync searched its patterns: in the whole path of a file on its machine. Here it is `/<folder>/<path>`.

What is searched here is the end of what was searched there, so a pattern changes its answer only by what stands before
the folder. That is known, and so are the files: both are tried, nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
import os
from pathlib import Path, PureWindowsPath
import re
from typing import Final, NamedTuple

from reconcile.core.path import expression, shown

MOST_FILES: Final = 100_000
"""So many files are tried; the others are of the same kind, most likely."""

_ANY_FILE: Final = "\0"
"""A name that no file has: what matches with it matches whatever the file is called."""


class Folder(NamedTuple):
    """A `local_root`: its name, and the path above it with `/` everywhere, as Autosync saw it."""

    above: str
    name: str

    @property
    def path(self) -> str:
        """The whole path."""
        return f"{self.above}/{self.name}"


def is_windows(local_root: str) -> bool:
    r"""Whether a path is absolute on Windows: `C:\repo`, `\\server\share\repo`."""
    return re.match(r"[A-Za-z]:[\\/]|\\\\", local_root) is not None


def folder_of(local_root: str, beside: str) -> Folder:
    """The folder a `local_root` names; a relative one hangs on the directory of the config."""
    if is_windows(local_root):
        whole = PureWindowsPath(local_root).as_posix()
    else:
        whole = Path(os.path.normpath(Path(beside, local_root.replace("\\", "/")).absolute())).as_posix()
    above, _, name = whole.rstrip("/").rpartition("/")
    return Folder(above, name)


def files_of(folder: Folder, *, recursive: bool) -> list[str]:
    """The files below a folder of this machine, relative to it; none when it is not here."""
    return list(islice(_walk(folder.path, recursive=recursive), MOST_FILES))


def _walk(root: str, *, recursive: bool) -> Iterator[str]:
    for directory, below, names in os.walk(root):
        below[:] = sorted(set(below) - {".git"}) if recursive else []
        inside = Path(directory).relative_to(root)
        yield from ((inside / name).as_posix() for name in sorted(names))


def why_not_regex(pattern: str) -> str:
    """Why Python cannot search for it; "" when it can."""
    try:
        expression(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        return shown(str(error))
    return ""


def takes_none(lists: Mapping[str, Sequence[str]], folder: Folder, files: Sequence[str]) -> bool:
    """Whether there are files, and not one that the four lists let through as they are searched here."""
    try:
        regexes = {word: [expression(pattern) for pattern in patterns] for word, patterns in lists.items()}
    except (re.error, OverflowError, RecursionError):  # told by `differences`
        return False
    return bool(files) and not any(_is_taken(regexes, f"/{folder.name}/{file}") for file in files)


def _is_taken(regexes: Mapping[str, Sequence[re.Pattern[str]]], subject: str) -> bool:
    found = {word: [bool(regex.search(subject)) for regex in given] for word, given in regexes.items() if given}
    met = [any(found.get("or", [True])), all(found.get("and", [])), not any(found.get("nor", []))]
    return all(met) and not all(found.get("nand", [False]))


def differences(lists: Mapping[str, Sequence[str]], folder: Folder, files: Sequence[str]) -> Iterator[str]:
    """A line for every pattern that answers differently here, with what it was that it matched."""
    for word, patterns in lists.items():
        for pattern in patterns:
            told = f"patterns.{word}: {shown(pattern)}"
            if wrong := why_not_regex(pattern):
                yield f"{told} is not a regular expression: {wrong}"
            elif why := _difference(expression(pattern), folder, files):
                yield f"{told} {why}"


def _difference(regex: re.Pattern[str], folder: Folder, files: Iterable[str]) -> str:
    before, here = f"{folder.above}/", f"/{folder.name}/"
    found = regex.search(folder.path + "/" + _ANY_FILE)
    if found is not None and found.start() < len(folder.above) and not regex.search(here + _ANY_FILE):
        return f"matches in {shown(before)}, so every file matched it; here it is searched in {shown(here)}<path> only"
    changed = [file for file in files if bool(regex.search(f"{folder.path}/{file}")) != bool(regex.search(here + file))]
    if not changed:
        return ""
    verb = "no longer matches" if regex.search(f"{folder.path}/{changed[0]}") else "now matches"
    more = f" and {len(changed) - 1:,} more" if len(changed) > 1 else ""
    return f"{verb} {shown(changed[0])}{more}: here it is searched in {shown(here)}<path>, without {shown(before)}"
