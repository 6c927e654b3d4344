"""`reconcile sync`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import click

from reconcile.cli.apply import apply, apply_options
from reconcile.cli.face import Face, global_options
from reconcile.core.errors import UsageError

if TYPE_CHECKING:
    from reconcile.spec.model import Spec


_SETTINGS: Final = ("on_failure", "concurrency")


@click.command("sync")
@click.argument("source")
@click.argument("target")
@click.option("--watch", is_flag=True, help="Go on with every change until stopped.")
@click.option("--set", "settings", metavar="key=value", multiple=True, help="A setting, as in a spec's mapping.")
@apply_options
@global_options
def command(face: Face, source: str, target: str, *, watch: bool, settings: tuple[str, ...], **flags: Any) -> int:
    """The same without a spec file; its state is in your state folder, one for each pair of source and target."""
    spec = _spec(face, source, target, settings)
    return _watch(face, spec, **flags) if watch else apply(face, spec, None, **flags)


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


def _spec(face: Face, source: str, target: str, settings: tuple[str, ...]) -> Spec:
    """The spec these words stand for."""
    from reconcile.flow.adhoc import adhoc_spec  # noqa: PLC0415 - help needs none

    return adhoc_spec(source, target, settings, root=face.directory)
