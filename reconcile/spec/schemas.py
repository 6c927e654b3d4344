"""The JSON Schemas, wherever the program was installed from."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final, Literal

from reconcile.core.errors import ReconcileError

SchemaName = Literal["spec", "plan", "report"]

_PACKAGE: Final = Path(__file__).resolve().parent.parent
_FOLDERS: Final = (_PACKAGE / "schemas", _PACKAGE.parent / "schemas")


@cache
def schema_text(name: SchemaName) -> str:
    """The text of a schema: from the package, or from the working tree of an editable install."""
    for folder in _FOLDERS:
        file = folder / f"{name}.schema.json"
        if file.is_file():
            return file.read_text(encoding="utf-8")
    raise ReconcileError(f"the schema `{name}` is missing from this installation", hint="install reconcile again")
