"""Keys: relative paths with `/`, compared as bytes.

A key is valid Unicode text. The order of its code points is the order of its UTF-8 bytes, so plain string comparison
*is* the byte order of S3 listings and of SQLite's BINARY collation. A name that is not UTF-8 never becomes a key: it is
a Problem beside the stream.
"""

from __future__ import annotations

from fnmatch import translate
from functools import lru_cache
import re
from typing import Final
import unicodedata
import warnings

CONTROL_DIR: Final = ".reconcile"
"""Where our own files live inside a target (undo, park, notes): listed only for who asks for it, never sent."""

TEMP_PREFIX: Final = ".reconcile-tmp-"
"""Names of files that are being written; never listed, never sent."""

_NEVER_SENT: Final = frozenset({".git", CONTROL_DIR, ".S3"})


def undo_key(run: int, key: str, more: str = "") -> str:
    """Where the bytes that a run takes away from `key` are kept; `more` (hexadecimal) where that place is taken."""
    return f"{CONTROL_DIR}/undo/{run}{more and '-'}{more}/{key}"


def park_key(run: int, key: str, more: str = "") -> str:
    """Where the content of `key` waits, while a run makes room, for its new place; `more` as above."""
    return f"{CONTROL_DIR}/park/{run}{more and '-'}{more}/{key}"


def volume_path(path: str) -> str:
    """`/Volumes/CATALOG/SCHEMA/VOLUME/path` with the three names as Unity Catalog has them: in lower case."""
    parts = path.split("/", 5)
    return "/".join([*parts[:2], *map(str.lower, parts[2:5]), *parts[5:]])


def is_utf8(name: str) -> bool:
    """Whether a name from the operating system is valid Unicode (no surrogate escapes)."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def why_not_key(key: str) -> str | None:
    """Why this text cannot be a key inside a root, or None when it can.

    Refuses what could leave the root or name two things at once: empty and dot segments, absolute paths, NUL.
    """
    if not key:
        return "the name is empty"
    if "\0" in key:
        return "the name holds a NUL character"
    if not is_utf8(key):
        return "the name is not UTF-8"
    for segment in key.split("/"):
        if segment == "":
            return "the name has an empty part (`//`, or a slash at an end)"
        if segment in (".", ".."):
            return f"the name has a `{segment}` part"
    return None


def is_control(name: str) -> bool:
    """Whether one path segment is ours or never sent (`.git`, `.reconcile`, `.S3`, temporary names)."""
    return name in _NEVER_SENT or name.startswith(TEMP_PREFIX)


def has_control(key: str) -> bool:
    """Whether any segment of the key is a control name."""
    if ".git" not in key and CONTROL_DIR not in key and ".S3" not in key:
        return False
    return any(is_control(segment) for segment in key.split("/"))


def is_control_area(directory: str) -> bool:
    """Whether a directory is the one where our own files lie inside a target, or lies in it."""
    return directory == CONTROL_DIR or is_under(directory, CONTROL_DIR)


def parents(key: str) -> list[str]:
    """The directories above a key, outermost first: `a/b/c` gives `a`, `a/b`."""
    found, at = [], key.find("/")
    while at != -1:
        found.append(key[:at])
        at = key.find("/", at + 1)
    return found


def is_under(key: str, directory: str) -> bool:
    """Whether `key` lies inside `directory` (strictly below it)."""
    return key.startswith(directory) and key[len(directory) : len(directory) + 1] == "/"


def match_key(key: str, fold: str) -> str:
    """The form under which a store tells names apart: `identity`, `casefold` or `nfc`."""
    if fold == "casefold":
        return unicodedata.normalize("NFC", unicodedata.normalize("NFC", key).casefold())
    if fold == "nfc":
        return unicodedata.normalize("NFC", key)
    return key


def same_name(one: str, other: str, fold: str) -> bool:
    """Whether a store takes two keys for the same."""
    return one == other or match_key(one, fold) == match_key(other, fold)


def expression(pattern: str) -> re.Pattern[str]:
    """A user's regular expression; `re.error` when it is none. How a later Python may read it, nobody asked."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        return re.compile(pattern)


@lru_cache(maxsize=64)
def _glob(pattern: str) -> re.Pattern[str]:
    return re.compile(translate(pattern))


def matches_glob(key: str, pattern: str) -> bool:
    """Whether a key matches a command-line GLOB (`*` crosses directories); a bare directory name means all below it."""
    return key == pattern or is_under(key, pattern.rstrip("/")) or _glob(pattern).match(key) is not None


_SPELLED: Final = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\x1b": "\\e"}
_HIDDEN: Final = frozenset(
    chr(point) for span in ((0x200B, 0x2010), (0x2028, 0x202F), (0x2060, 0x2070)) for point in range(*span)
) | {"\ufeff", "\u061c"}
_CI_COMMAND: Final = re.compile(r"##(?=\[|vso\[)")


def shown(text: str) -> str:
    """The text as any screen may show it: control characters, bidi marks and undecodable bytes spelled out.

    Also a leading ``::``, ``##[`` and ``##vso[`` are broken, so that a name can never speak to a CI runner.
    """
    if text.isascii() and text.isprintable() and not text.startswith("::") and "##" not in text:
        return text
    out = []
    for char in text:
        if char in _SPELLED:
            out.append(_SPELLED[char])
        elif "\udc80" <= char <= "\udcff":
            out.append(f"\\x{ord(char) - 0xDC00:02x}")
        elif char in _HIDDEN or (not char.isprintable() and char != " "):
            out.append(f"\\u{ord(char):04x}" if ord(char) > 0xFF else f"\\x{ord(char):02x}")
        else:
            out.append(char)
    spelled = _CI_COMMAND.sub("#\\\\#", "".join(out))
    return "\\" + spelled if spelled.startswith("::") else spelled
