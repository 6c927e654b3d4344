"""`reconcile state`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
import csv
import io
from typing import TYPE_CHECKING, Any, Final

import click

from reconcile.cli.face import Face, global_options
from reconcile.cli.options import lock_options, mapping_option, reach, seconds
from reconcile.core.counts import plural
from reconcile.core.errors import UsageError

if TYPE_CHECKING:
    from reconcile.core.record import Record, Scope
    from reconcile.ports import StateStore

_ID_DIGITS: Final = 6
"""What is shorter is hardly meant as the id of a scope."""

csv_option = click.option("--csv", "as_csv", is_flag=True, help="Comma-separated values, for a spreadsheet.")


@click.group("state")
@global_options
def command(face: Face) -> None:
    """Look at and mend what is remembered. A copy is kept before every change."""


@command.command("list")
@csv_option
@global_options
def list_(face: Face, as_csv: bool) -> int:
    """The scopes: what each mapping remembers, those without a mapping too."""
    from reconcile.report.tables import scope_lines  # noqa: PLC0415 - help needs none

    with face.state(write=False) as state:
        scopes = state.scopes()
    rows = [{**_scope_row(scope), "serial": serial, "paths": count} for scope, serial, count in scopes]
    if as_csv:
        return _tell_csv(face, ("mapping", "source", "target", "serial", "paths", "scope"), rows)
    return face.tell({"scopes": rows}, scope_lines(scopes) if scopes else ["Nothing is remembered yet."])


@command.command("show")
@click.argument("globs", nargs=-1, metavar="[GLOB]…")
@mapping_option
@csv_option
@global_options
def show(face: Face, globs: tuple[str, ...], mappings: tuple[str, ...], as_csv: bool) -> int:
    """The records: all, or those that match; one by itself with everything in it."""
    from reconcile.report.tables import record_lines, record_text  # noqa: PLC0415 - help needs none

    with face.state(write=False) as state:
        found = [(scope, record) for scope in _scopes(state, mappings) for record in _records(state, scope, globs)]
    if globs and not found:
        raise UsageError("no record matches", op="state show", path=" ".join(globs), hint="reconcile state list")
    rows = [_record_row(scope, record) for scope, record in found]
    if as_csv:
        return _tell_csv(face, _COLUMNS, rows)
    records = [record for _, record in found]
    return face.tell({"records": rows}, record_text(records[0]) if len(found) == 1 else record_lines(records))


@command.command("mv")
@click.argument("old", metavar="OLD")
@click.argument("mapping", metavar="MAPPING")
@lock_options
@global_options
def mv(face: Face, old: str, mapping: str, lock_timeout: str) -> int:
    """Give the records of OLD (a scope's id, or a mapping that was renamed) to MAPPING as it is now."""
    from reconcile.flow.clock import RealClock  # noqa: PLC0415 - help needs none
    from reconcile.flow.mending import move, named_scope  # noqa: PLC0415

    waits_s = seconds(lock_timeout, "--lock-timeout")
    with face.house(write=True, reach=reach((mapping,))) as house:
        new = house.mappings[0].scope
        old_target = named_scope(house.state, old, but=new).target
        count = move(house.state, old, new, RealClock(), timeout_s=waits_s)
    told = [f"Moved {plural(count, 'record')} to {mapping}."]
    if old_target != new.target:
        told.append(f"They tell of {old_target}; the next plan compares them with {new.target}.")
    return face.tell({"moved": count}, [*told, "Next: reconcile plan"])


@command.command("rm")
@click.argument("globs", nargs=-1, required=True, metavar="GLOB…")
@mapping_option
@lock_options
@global_options
def rm(face: Face, globs: tuple[str, ...], mappings: tuple[str, ...], lock_timeout: str) -> int:
    """Forget the records that match; what they stand for stays, and is not ours any more."""
    from reconcile.core.path import matches_glob  # noqa: PLC0415 - help needs none
    from reconcile.flow.clock import RealClock  # noqa: PLC0415
    from reconcile.flow.mending import remove  # noqa: PLC0415

    def chosen(key: str) -> bool:
        return any(matches_glob(key, glob) for glob in globs)

    waits_s = seconds(lock_timeout, "--lock-timeout")
    with face.state(write=True) as state:
        scopes = _scopes(state, mappings)
        if not any(chosen(record.key) for scope in scopes for record in state.records(scope.id)):
            raise UsageError("no record matches", op="state rm", path=" ".join(globs), hint=_meant(state, globs))
        count = remove(state, scopes, chosen, RealClock(), timeout_s=waits_s)
    return face.tell({"forgotten": count}, [f"Forgot {plural(count, 'record')}. A copy of the state was kept."])


@command.command("pull")
@click.argument("copy", metavar="FILE")
@global_options
def pull(face: Face, copy: str) -> int:
    """Write a whole, verified copy of the state to FILE."""
    from reconcile.flow.mending import pull as take  # noqa: PLC0415 - help needs none

    with face.state(write=False) as state:
        take(state, face.at(copy))
    return face.tell({"file": face.at(copy)}, [f"Wrote {face.at(copy)}."])


@command.command("push")
@click.argument("copy", metavar="FILE")
@click.option("--force", is_flag=True, help="Also a state of another family, or an older one.")
@lock_options
@global_options
def push(face: Face, copy: str, force: bool, lock_timeout: str) -> int:
    """Put FILE in the place of the state, of which a copy is kept."""
    from reconcile.flow.clock import RealClock  # noqa: PLC0415 - help needs none
    from reconcile.flow.mending import push as put  # noqa: PLC0415

    waits_s = seconds(lock_timeout, "--lock-timeout")
    put(face.spec(), face.at(copy), RealClock(), force=force, timeout_s=waits_s)
    return face.tell({"file": face.at(copy)}, [f"The state is {face.at(copy)} now.", "Next: reconcile plan"])


def _scopes(state: StateStore, names: tuple[str, ...]) -> list[Scope]:
    """The scopes of the named mappings (or ids); all without a name."""
    from reconcile.flow.mending import named_scope  # noqa: PLC0415 - as above

    if names:
        return [named_scope(state, name) for name in names]
    return [scope for scope, _, count in state.scopes() if count]


def _meant(state: StateStore, globs: tuple[str, ...]) -> str:
    """The hint for who names a scope where paths are asked for."""
    for scope, _, count in state.scopes():
        by_id = any(scope.id.startswith(glob) for glob in globs if len(glob) >= _ID_DIGITS)
        if count and (by_id or scope.mapping in globs):
            return f"to forget all of that scope: reconcile state rm '*' --mapping {scope.id}"
    return "reconcile state show lists what is remembered"


def _records(state: StateStore, scope: Scope, globs: tuple[str, ...]) -> Iterator[Record]:
    from reconcile.core.path import matches_glob  # noqa: PLC0415 - as above

    for record in state.records(scope.id):
        if not globs or any(matches_glob(record.key, glob) for glob in globs):
            yield record


def _scope_row(scope: Scope) -> dict[str, Any]:
    return {"mapping": scope.mapping, "source": scope.source, "target": scope.target, "scope": scope.id}


_COLUMNS = ("mapping", "key", "path", "size", "sha256", "version", "run", "settled", "executable", "accepted", "scope")


def _record_row(scope: Scope, record: Record) -> dict[str, Any]:
    return {
        "mapping": scope.mapping,
        "key": record.key,
        "path": record.path if record.path is not None else record.key,
        "size": record.size,
        "sha256": record.digest.hex(),
        "version": record.version,
        "run": record.run,
        "settled": record.settled,
        "executable": record.executable,
        "accepted": record.accepted,
        "scope": scope.id,
    }


def _tell_csv(face: Face, columns: Iterable[str], rows: Iterable[dict[str, Any]]) -> int:
    """Fields that a spreadsheet would run as a formula are made text; control characters are spelled out."""
    if face.json:
        raise UsageError("--csv and --json are two forms of one answer", op="state", hint="give one of them")
    from reconcile.cli.machine import cell  # noqa: PLC0415 - only for --csv

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    names = list(columns)
    writer.writerow(names)
    writer.writerows([cell(row[name]) for name in names] for row in rows)
    face.write(text.getvalue())
    return 0
