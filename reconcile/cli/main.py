"""The `reconcile` command: finds the verb, runs it, turns every error into words and an exit code."""

from __future__ import annotations

import gc
from importlib import import_module
from io import StringIO
import os
import signal
import sys
from traceback import format_exc
from typing import Any, Final

import click

from reconcile import __version__
from reconcile.cli.face import Face, global_options
from reconcile.cli.streams import open_closed
from reconcile.core.errors import ReconcileError, StoppedError, UsageError
from reconcile.core.path import shown

VERBS: Final = {
    "init": "Write a commented reconcile.yaml, or translate an older tool's configuration.",
    "validate": "Check the spec only; no network.",
    "plan": "Show what would change and why; change nothing.",
    "show": "Show a saved plan.",
    "apply": "Plan, ask, and apply; or apply exactly a saved plan.",
    "destroy": "Delete what is ours in the target.",
    "watch": "Plan and apply on every change until stopped.",
    "sync": "The same without a spec file: reconcile sync SOURCE TARGET.",
    "status": "The last run, who holds the lock, how old the last success is.",
    "why": "All that is known of one path, and what a plan would do with it.",
    "ls": "List a target with sizes, times and totals.",
    "verify": "Read the target and compare its digests with the state.",
    "rollback": "Undo a run as far as its bytes are kept; nothing newer is touched.",
    "gc": "Empty kept bytes, old generations and leftovers of dead writes that are ours.",
    "history": "Runs, newest first; or one run with its actions.",
    "state": "Look at and mend what is remembered.",
    "adopt": "Record target files that equal the source, without sending anything.",
    "conflicts": "List the paths that wait for a decision, and settle them.",
    "lock": "Who holds the lock; hold it on purpose.",
    "unlock": "Break a dead lock, or end a hold.",
    "graph": "The order of actions as a picture.",
    "reset": "Forget the state and the control files in the target; never the data.",
    "create": "Make a bucket, a directory, a volume or a database.",
    "schema": "Print the JSON Schema of a document, for editors.",
}

CYCLES: Final = 100_000
"""So many objects are made before rubbish in circles is looked for: a plan makes millions, and no circle."""


class Verbs(click.Group):
    """Loads a verb's module only when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """In the order of the documentation."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """The verb, if it is one."""
        if cmd_name not in VERBS:
            return None
        command: click.Command = import_module(f"reconcile.cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """From the table above, so that help loads no verb."""
        with formatter.section("Commands"):
            formatter.write_dl(list(VERBS.items()))


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, "--version", prog_name="reconcile", message="%(prog)s %(version)s")
@global_options
def command(face: Face) -> None:
    """Declare which files and data should be where; see every change and why; apply exactly that."""


def main(arguments: list[str] | None = None) -> None:
    """Runs the command and ends the process with its exit code; SIGTERM ends it as SIGINT does."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    gc.set_threshold(CYCLES)
    open_closed()
    try:
        code = run(sys.argv[1:] if arguments is None else arguments)
    except KeyboardInterrupt:  # after the last step: all that was to be closed is closed
        code = StoppedError.exit_code
    sys.exit(code)


def run(arguments: list[str]) -> int:
    """Runs the command, and lets all that it said leave; returns its exit code."""
    face = Face.of(arguments)
    return face.ended(_run(face, arguments))


def _run(face: Face, arguments: list[str]) -> int:
    try:
        result: Any = command.main(args=arguments, prog_name="reconcile", standalone_mode=False, obj=face)
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.Abort:
        return face.tell_error(StoppedError("stopped before anything was begun"))
    except BrokenPipeError:  # nobody reads any more, so nobody needs the rest
        return 1
    except (click.ClickException, ReconcileError, OSError) as error:
        return _told(face, arguments, error)
    except Exception:  # noqa: BLE001 - a defect of ours: told, and told without secrets
        return face.tell_defect(format_exc())
    return result if isinstance(result, int) else 0


def _told(face: Face, arguments: list[str], error: click.ClickException | ReconcileError | OSError) -> int:
    """Tells of an error in words, and to a machine in JSON; returns the exit code."""
    if isinstance(error, ReconcileError):
        return face.tell_error(error)
    if isinstance(error, click.ClickException):
        usage = StringIO()
        error.show(usage)
        face.log("\n".join(map(shown, usage.getvalue().splitlines())))
        from reconcile.cli.habits import answers  # noqa: PLC0415 - for who mistyped

        for line in answers(arguments, error):
            face.log(shown(line))
        return face.tell_failure(UsageError(error.format_message()))
    told = error.strerror or str(error)  # what no room had better words for: a full disk, a file that may not be read
    return face.tell_error(ReconcileError(told.lower(), path=_named(error)))


def _named(error: OSError) -> str:
    return os.fsdecode(error.filename) if isinstance(error.filename, (str, bytes)) else ""
