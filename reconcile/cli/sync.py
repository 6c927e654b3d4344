"""`reconcile sync`."""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING, Any, Final

import click

from reconcile.cli.apply import apply, apply_options
from reconcile.cli.face import Face, global_options
from reconcile.core.errors import UsageError
from reconcile.core.path import shown

if TYPE_CHECKING:
    from reconcile.flow.adhoc import Adhoc
    from reconcile.spec.model import Spec


_SETTINGS: Final = ("on_failure", "concurrency")
_INCOMPLETE: Final = 7


@click.command("sync")
@click.argument("source")
@click.argument("target")
@click.option("--watch", is_flag=True, help="Go on with every change until stopped.")
@click.option("--set", "settings", metavar="key=value", multiple=True, help="A setting, as in a spec's mapping.")
@apply_options
@global_options
def command(face: Face, source: str, target: str, *, watch: bool, settings: tuple[str, ...], **flags: Any) -> int:
    """The same without a spec file; its state is in your state folder, one for each pair of source and target."""
    from reconcile.flow.adhoc import adhoc  # noqa: PLC0415 - help needs none

    asked = adhoc(source, target, settings, root=face.directory)
    asked.check_source()
    spec, code = asked.spec, UsageError.exit_code
    try:
        code = _watch(face, spec, **flags) if watch else apply(face, spec, None, **flags)
    finally:
        if not flags["dry_run"]:
            _leave(face, asked, code)
    return code


def _leave(face: Face, asked: Adhoc, code: int) -> None:
    """All hints name verbs and settings of a spec; so there is one, and who reads along is told."""
    try:
        file = asked.leave()
    except OSError:
        return  # a state that nobody can write beside has its own words
    if asked.fills_tables and code == _INCOMPLETE:
        face.note(
            "Settings of tables are said so here: --set table.on_bad_rows=quarantine --set table.csv.delimiter=';'"
        )
    if file and (code or face.live):
        face.note(f"Other verbs for this pair: reconcile -f {shown(quote(str(file)))} plan | status | rollback | …")


def _watch(face: Face, spec: Spec, **flags: Any) -> int:
    """Nobody is asked while watching, so `--auto-approve` says nothing new; flags of a single run have no place."""
    from reconcile.cli.watch import watch  # noqa: PLC0415 - only to watch

    for name in ("dry_run", "select", "resend", "checksum", "on_failure", "concurrency"):
        if flags.pop(name):
            flag = "--" + name.replace("_", "-")
            hint = f"sync without --watch, or --set {name}=…" if name in _SETTINGS else "sync without --watch"
            raise UsageError("is for a single run", op=f"sync --watch {flag}", hint=hint)
    flags.pop("auto_approve")
    return watch(face, spec, **flags)
