"""The first `reconcile.yaml`: short, commented, valid."""

from __future__ import annotations

import json
import re
from typing import Final

from reconcile.spec.location import TABLE_SCHEMES
from reconcile.spec.yaml import scalar

DEFAULT_SOURCE: Final = "./data"
DEFAULT_TARGET: Final = "./mirror"

_HARMLESS: Final = re.compile(r"[A-Za-z0-9_./][A-Za-z0-9_./-]*")

_HEAD: Final = """\
# What should be where. Look first: reconcile plan    Then: reconcile apply
# Every setting: reconcile schema
version: 1

mappings:
  {name}:
    source: {source}
    target: {target}
"""

_FILES: Final = """\
    # exclude: ["*.tmp", "**/__pycache__/**"]   # gitignore-style; include: works the same way
    # ignore_files: [.reconcileignore, .gitignore]
    # delete: true          # gone from the source: deleted in the target, only if it is ours and unchanged
    # unmanaged: keep       # paths in the target that are not ours; delete removes them
    # conflict: fail        # both sides changed: this path waits; or source, target, newest
    # guard: {max_delete: 50%, max_update: off, min_files: 10}
"""

_TABLES: Final = """\
    # include: ["**/*.csv"]
    table:
      name: "{stem}"        # one table for each file; "{dirs}{stem}" tells folders apart
      # key: [id]           # the plan shows row differences by key
      # types: {zip: text}  # instead of what is inferred
      # on_bad_rows: fail   # or quarantine
"""

_TAIL: Final = """\

# state: state/reconcile.db       # or a URL, shared by a team and CI: s3://bucket/state/docs.db
# stores:                         # named connections; then a target may be lake:docs
#   lake: {url: "s3://bucket/prefix", region: eu-west-1, profile: dev}
# watch: {debounce: 200ms, max_delay: 5s, resync: 5m}
"""


def init_text(source: str = DEFAULT_SOURCE, target: str = DEFAULT_TARGET) -> str:
    """A commented spec with one mapping of `source` to `target`, both taken as they are (no placeholders)."""
    head = _HEAD.format(name=mapping_name(source), source=literal(source), target=literal(target))
    tables = target.partition(":")[0] in TABLE_SCHEMES
    return head + (_TABLES if tables else _FILES) + _TAIL


def mapping_name(source: str) -> str:
    """A name for the mapping of a source: its last part, as far as a name can hold it."""
    last = re.split(r"[/\\:]", source.rstrip("/\\:"))[-1]
    return re.sub(r"[^a-z0-9_-]+", "-", last.lower()).strip("-") or "files"


def literal(text: str) -> str:
    """Text as YAML that means exactly it: placeholders escaped, quoted where it must be."""
    return quoted(text.replace("${", "$${"))


def quoted(text: str) -> str:
    """Text as one YAML scalar, in the plainest quotes that keep it."""
    if _HARMLESS.fullmatch(text) and _is_text(text):
        return text
    if "\\" in text and "'" not in text and text.isprintable():
        return f"'{text}'"
    return _in_quotes(text)


def flowing(value: object) -> str:
    """A plain value as YAML on one line, every text in quotes."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{flowing(key)}: {flowing(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(flowing, value)) + "]"
    return _in_quotes(value) if isinstance(value, str) else json.dumps(value)


def _in_quotes(text: str) -> str:
    return '"' + "".join(map(_spelled, text)) + '"'


def _is_text(unquoted: str) -> bool:
    try:
        return isinstance(scalar(unquoted), str)
    except OverflowError:
        return False


def _spelled(char: str) -> str:
    if char in ('"', "\\"):
        return "\\" + char
    return char if char.isprintable() else f"\\U{ord(char):08x}"
