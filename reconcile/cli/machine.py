"""The screens that only look, as one JSON document each: sorted keys, ASCII, digests in hexadecimal digits."""

from __future__ import annotations

from json import JSONEncoder
import re
from typing import Any, Final

from msgspec import to_builtins

from reconcile.core.path import shown
from reconcile.core.plan import FORMAT_VERSION

_encode: Final = JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode
_SURROGATES: Final = re.compile("[\ud800-\udfff]+")
_FORMULA: Final = frozenset("=+-@\t")


def document_text(document: Any, exit_code: int) -> str:
    """A struct or a table of words as JSON text with its line end, with the format's version and the exit code."""
    told = plain(to_builtins(document, builtin_types=(bytes,), order="deterministic"))
    return _encode({"format_version": FORMAT_VERSION, "exit_code": exit_code, **told}) + "\n"


def plain(value: Any) -> Any:
    """The value with bytes in hexadecimal digits, and without lone surrogates, which strict parsers refuse."""
    if isinstance(value, dict):
        return {plain(key): plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, str) and not value.isascii():
        return _SURROGATES.sub(lambda found: shown(found[0]), value)
    return value


def cell(value: Any) -> Any:
    """A value as a cell of CSV: names are escaped, and none can be taken for a formula."""
    if not isinstance(value, str):
        return int(value) if isinstance(value, bool) else value
    told = shown(value)
    return f"'{told}" if told[:1] in _FORMULA else told
