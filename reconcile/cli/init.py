"""`reconcile init`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconcile.cli.face import Face, global_options
from reconcile.core.errors import UsageError

if TYPE_CHECKING:
    from reconcile.spec.translate import Translation

_IGNORE = "# What is remembered is of this machine; a team shares it through the spec's `state:` URL.\n*\n!.gitignore\n"


@click.command("init")
@click.argument("source", required=False, metavar="[SOURCE")
@click.argument("target", required=False, metavar="TARGET]")
@click.option("--from", "older", metavar="FILE", help="Translate an Autosync config.yaml or an s3synchrony.json.")
@global_options
def command(face: Face, source: str | None, target: str | None, older: str | None) -> int:
    """Write a commented reconcile.yaml, or translate an older tool's configuration. Never overwrites."""
    if source is not None and (target is None or older is not None):
        raise UsageError("takes SOURCE and TARGET, or --from FILE, or nothing", op="init")
    text, warnings = _translated(face.at(older)) if older is not None else (_text(source, target), [])
    file = face.at(face.file or "reconcile.yaml")
    _write_new(file, text)
    made = [file]
    ignore = Path(face.directory, "state", ".gitignore")
    if not ignore.exists():
        ignore.parent.mkdir(exist_ok=True)
        _write_new(str(ignore), _IGNORE)
        made.append(str(ignore))
    for warning in warnings:
        face.note(f"Warning: {warning}")
    return face.tell(
        {"made": made, "warnings": warnings}, [*(f"Wrote {path}" for path in made), "Next: reconcile plan"]
    )


def _text(source: str | None, target: str | None) -> str:
    from reconcile.spec.init import init_text  # noqa: PLC0415 - help needs none

    return init_text(source, target) if source is not None and target is not None else init_text()


def _translated(path: str) -> Translation:
    """By what is in it: JSON is of s3synchrony, YAML of Autosync."""
    from reconcile.spec.translate import from_autosync, from_s3synchrony  # noqa: PLC0415 - as above

    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError("is not UTF-8", op="init --from", path=path) from error
    except OSError as error:
        raise UsageError((error.strerror or "cannot be read").lower(), op="init --from", path=path) from error
    return (from_s3synchrony if text.lstrip().startswith("{") else from_autosync)(text, path)


def _write_new(path: str, text: str) -> None:
    try:
        with Path(path).open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        raise UsageError("the file exists", op="init", path=path, hint="name another: -f FILE") from error
    except OSError as error:
        raise UsageError(error.strerror or "cannot be written", op="init", path=path) from error
