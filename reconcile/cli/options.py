"""Flags that several verbs share."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from reconcile.core.errors import UsageError

if TYPE_CHECKING:
    from reconcile.flow.wire import Reach

Verb = TypeVar("Verb", bound=Callable[..., Any])

PERMISSIONS = ("deletes", "updates", "empty-source", "new-disk", "target-vanished")


def mapping_option(verb: Verb) -> Verb:
    """`--mapping`: which mappings of the spec are looked at."""
    return click.option("--mapping", "mappings", multiple=True, metavar="M", help="Only this mapping.")(verb)


def reach_options(verb: Verb) -> Verb:
    """`--mapping` and `--path`: what of the spec is looked at."""
    verb = mapping_option(verb)
    return click.option("--path", "paths", multiple=True, metavar="GLOB", help="Only these paths.")(verb)


def allow_options(verb: Verb) -> Verb:
    """`--allow`: what a guard would refuse."""
    verb = click.option("--allow", multiple=True, metavar="WHAT[:MAPPING]", help=f"Allow {', '.join(PERMISSIONS)}.")(
        verb
    )
    return click.option("--allow-deletes", is_flag=True, help="Allow deletes and an empty source.")(verb)


def format_options(verb: Verb) -> Verb:
    """`--format` and `--full`: how a plan is shown."""
    forms = "text|json|markdown|html[=FILE]"
    verb = click.option("--format", "formats", multiple=True, metavar=forms, help="How to show it.")(verb)
    return click.option("--full", is_flag=True, help="Show every line.")(verb)


def lock_options(verb: Verb) -> Verb:
    """`--lock-timeout`: how long to wait for another run."""
    option = click.option("--lock-timeout", default="0s", metavar="30s", help="Wait so long for another run (0s).")
    return option(verb)


def approve_option(verb: Verb) -> Verb:
    """`--auto-approve`."""
    return click.option("--auto-approve", is_flag=True, help="Do not ask.")(verb)


def reach(mappings: tuple[str, ...], paths: tuple[str, ...] = (), concurrency: int = 0) -> Reach:
    """What the flags say together."""
    from reconcile.flow.wire import Reach  # noqa: PLC0415 - help needs none

    return Reach(mappings, paths, concurrency)


def allowed(allow: tuple[str, ...], allow_deletes: bool) -> tuple[str, ...]:
    """The permissions given; `UsageError` names one that does not exist."""
    given = [part for text in allow for part in text.split(",") if part]
    for permission in given:
        if permission.partition(":")[0] not in PERMISSIONS:
            raise UsageError(f"there is no permission `{permission}`", op="--allow", hint=", ".join(PERMISSIONS))
    return (*given, "deletes", "empty-source") if allow_deletes else tuple(given)


def seconds(text: str, flag: str) -> float:
    """A duration of the command line, in seconds."""
    from reconcile.spec.units import duration_s  # noqa: PLC0415

    try:
        return duration_s(text)
    except ValueError as error:
        raise UsageError(f"`{text}` is no duration", op=flag, hint="200ms 5s 10m 1h 30d") from error
