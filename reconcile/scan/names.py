"""The names of one directory in the order of their keys, however many there are.

Files sort as `name` and directories as `name/`: a walk that takes them in this order yields whole keys in byte order
without ever sorting the whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from errno import ENOSPC
from itertools import islice
import os
from typing import TYPE_CHECKING

from reconcile.core.path import is_control, is_utf8
from reconcile.scan.system import Calls

if TYPE_CHECKING:
    import sqlite3


def sorted_names(calls: Calls, fd: int, *, follow: bool, spill_names: int) -> tuple[Iterator[str], list[str]]:
    """The names in an open directory, directories with a slash at the end; and apart those that are not UTF-8.

    The directory is read to its end before the first name is given. Control names are left out. With `follow` a link
    to a directory sorts as one. More than `spill_names` names are sorted outside memory. Raises `OSError`.
    """
    with calls.scandir(fd) as found:
        marked = _marked(found, follow=follow)
        names, odd = _decodable(list(islice(marked, spill_names)))
        if len(names) + len(odd) < spill_names:
            names.sort()
            return iter(names), odd
        return _spilled(names, marked, spill_names, odd), odd


def _marked(found: Iterable[os.DirEntry[str]], *, follow: bool) -> Iterator[str]:
    for entry in found:
        name = entry.name
        if name[0] == "." and is_control(name):
            continue
        yield name + "/" if entry.is_dir(follow_symlinks=False) or (follow and _leads_to_directory(entry)) else name


def _leads_to_directory(entry: os.DirEntry[str]) -> bool:
    """Whether a link ends at a directory; one that cannot be followed sorts as a file and is reported there."""
    try:
        return entry.is_symlink() and entry.is_dir()
    except OSError:
        return False


def _decodable(names: list[str]) -> tuple[list[str], list[str]]:
    """The names that are UTF-8, and the others; one pass in C for the usual case that all are."""
    if is_utf8("".join(names)):
        return names, []
    return [name for name in names if is_utf8(name)], [name for name in names if not is_utf8(name)]


def _spilled(names: list[str], more: Iterator[str], at_once: int, odd: list[str]) -> Iterator[str]:
    """Sorts through a private database that SQLite keeps in an unnamed temporary file; odd names join `odd`."""
    import sqlite3  # noqa: PLC0415 - only directories beyond memory need it

    try:
        database = sqlite3.connect("", check_same_thread=False)
        database.execute("CREATE TABLE names (name TEXT)")
        _insert(database, names)
        while chunk := list(islice(more, at_once)):
            names, others = _decodable(chunk)
            _insert(database, names)
            odd += others
        return _rows(database, database.execute("SELECT name FROM names ORDER BY name"))
    except sqlite3.Error as error:
        raise OSError(ENOSPC, f"no room to sort the names: {error}") from error


def _insert(database: sqlite3.Connection, names: list[str]) -> None:
    database.executemany("INSERT INTO names VALUES (?)", ((name,) for name in names))


def _rows(database: sqlite3.Connection, cursor: sqlite3.Cursor) -> Iterator[str]:
    with closing(database):
        for (name,) in cursor:
            yield name
