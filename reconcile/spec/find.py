"""Where a spec file is."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from reconcile.core.errors import UsageError
from reconcile.core.path import shown

FILE_NAME: Final = "reconcile.yaml"


def find_spec(directory: str | Path = ".", file: str | Path | None = None) -> Path:
    """The spec file: `file` below `directory` (as `git -C` has it), or the `reconcile.yaml` in it."""
    found = Path(directory) / (file or FILE_NAME)
    if found.is_file():
        return found
    if found.is_dir():
        raise UsageError(
            f"{shown(str(found))} is a directory", op="-f", hint="a spec is a file; -C DIR names its directory"
        )
    similar = found.with_suffix(".yml")
    hint = f"rename {similar.name} to {FILE_NAME}, or name it: -f {similar.name}" if similar.is_file() else ""
    raise UsageError(f"no {shown(str(found))}", hint=hint or "`reconcile init` writes one")
