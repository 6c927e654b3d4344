"""What every verb shares: the global flags, the spec they name, and how things are said."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import wraps
import os
from pathlib import Path
import sys
from threading import Event
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from reconcile.cli.masking import guarded, masked
from reconcile.cli.streams import Voice, complain
from reconcile.core.errors import ReconcileError, SpecError, UsageError
from reconcile.core.path import shown

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from reconcile.flow.wire import Reach
    from reconcile.flow.wired import House
    from reconcile.ports import Sink, StateStore, Store
    from reconcile.spec.model import Spec

Verb = TypeVar("Verb", bound=Callable[..., Any])
DEFECT: Final = "please report it with the lines above; secrets are masked in them, paths are not"


@dataclass(slots=True)
class Face:
    """The global flags of one call. `stop` is set by a signal.

    `secrets`, longest first, are masked in everything that is said. All faces of one call share them and the voice.
    """

    directory: str = "."
    file: str | None = None
    variables: dict[str, str] = field(default_factory=dict)
    quiet: bool = False
    verbose: int = 0
    plain: bool = False
    json: bool = False
    secrets: list[str] = field(default_factory=list)
    stop: Event = field(default_factory=Event)
    voice: Voice = field(default_factory=Voice)

    @classmethod
    def of(cls, arguments: list[str]) -> Face:
        """The face of a call that failed before its verb could say anything."""
        return cls(json="--json" in arguments, plain="--no-color" in arguments)

    def spec(self) -> Spec:
        """The spec the flags name; all its problems at once when it is wrong."""
        from reconcile.flow.specs import load  # noqa: PLC0415 - help needs no YAML

        spec = load(self.directory, self.file, self.variables)
        self.secrets[:] = [secret.reveal() for secret in spec.secrets]
        return spec

    def house(self, *, write: bool, reach: Reach | None = None, spec: Spec | None = None) -> House:
        """The spec, wired."""
        from reconcile.flow import wire  # noqa: PLC0415 - nor any store
        from reconcile.flow.clock import RealClock  # noqa: PLC0415

        return wire.wire(spec or self.spec(), write=write, clock=RealClock(self.stop), reach=reach or wire.Reach())

    @contextmanager
    def state(self, *, write: bool) -> Iterator[StateStore]:
        """The spec's state alone; no store of a mapping is opened."""
        from reconcile.flow.wire import state_of  # noqa: PLC0415 - as above

        state = state_of(self.spec(), write=write)
        try:
            yield state
        finally:
            state.close()

    @contextmanager
    def place(self, text: str, *, write: bool = False) -> Iterator[Store]:
        """One store by itself; the spec, if there is one, knows names for it."""
        from reconcile.flow.clock import RealClock  # noqa: PLC0415 - as above
        from reconcile.flow.places import open_place, told_what_else  # noqa: PLC0415

        with_spec = self.file is not None or Path(self.directory, "reconcile.yaml").exists()
        spec = self.spec() if with_spec else None
        store = open_place(text, spec, self.directory, clock=RealClock(), write=write)
        try:
            with told_what_else(text, spec):
                yield store
        finally:
            store.close()

    def at(self, path: str) -> str:
        """A path of the command line, relative to `-C DIR`."""
        return str(Path(self.directory, path))

    @property
    def color(self) -> bool:
        """Whether stdout takes colours."""
        return sys.stdout.isatty() and not self.plain and "NO_COLOR" not in os.environ and not self.json

    @property
    def live(self) -> bool:
        """Whether stderr is a terminal for progress."""
        return sys.stderr.isatty() and not self.plain and not self.quiet and not self.json

    def tell(self, document: Any, lines: Iterable[str], *, exit_code: int = 0) -> int:
        """The result: one JSON document with `--json`, else lines. Returns the exit code, which stands in the JSON."""
        if self.json:
            from reconcile.cli.machine import document_text  # noqa: PLC0415 - only for --json

            self.write(document_text(document, exit_code))
        else:
            self.say(lines)
        return exit_code

    def say(self, lines: Iterable[str] | str) -> None:
        """The result, on stdout."""
        for line in (lines,) if isinstance(lines, str) else lines:
            self.write(line + "\n")

    def write(self, text: str) -> None:
        """Text on stdout, with every secret masked, in whatever encoding the terminal has."""
        self.voice.say(lambda: sys.stdout.write(_fitting(masked(text, self.secrets), sys.stdout)))

    def flush(self) -> None:
        """What was said leaves now."""
        self.voice.say(sys.stdout.flush)

    def ended(self, code: int) -> int:
        """After the last word: the exit code, which is not 0 where the result could not be told."""
        code, why = self.voice.ended(code)
        if why is not None:
            self.log(f"Error: {why.filename}: {(why.strerror or '').lower()}")
        return code

    def note(self, text: str) -> None:
        """A log line, on stderr."""
        if not self.quiet:
            self.log(text)

    def tell_error(self, error: ReconcileError) -> int:
        """What, where, why, and the next command. Returns the exit code."""
        lines = [f"Error: {shown(line)}" for line in _error_lines(error)]
        if error.hint:
            lines.append(f"  {shown(error.hint)}")
        self.log("\n".join(lines))
        return self.tell_failure(error)

    def tell_failure(self, error: ReconcileError) -> int:
        """The error as the last (or only) JSON document on stdout, so that no machine reads an empty answer."""
        if self.json:
            from reconcile.cli.machine import document_text  # noqa: PLC0415 - only for --json

            told = {"errors": [self._guarded(line) for line in _error_lines(error)], "hint": self._guarded(error.hint)}
            self.write(document_text(told, error.exit_code))
        return error.exit_code

    def ask(self, question: str, *, otherwise: str = "") -> bool:
        """The full word `yes`, from a terminal; without one it refuses and names the flag, and what else there is."""
        if not sys.stdin.isatty():
            raise UsageError("nobody is there to be asked", hint=f"say --auto-approve{otherwise}")
        sys.stderr.write(f"{question}\nOnly `yes` is taken as an answer: ")
        sys.stderr.flush()
        return sys.stdin.readline().strip() == "yes"

    def choose(self, question: str) -> str:
        """A line from the terminal, in lower case."""
        if not sys.stdin.isatty():
            raise UsageError("nobody is there to be asked", op="--select", hint="run it in a terminal")
        sys.stderr.write(f"{question}: ")
        sys.stderr.flush()
        return sys.stdin.readline().strip().lower()

    def listening(self) -> AbstractContextManager[Sink]:
        """A listener for this call's events: a progress bar, JSON lines, or nothing."""
        from reconcile.cli.listeners import listener  # noqa: PLC0415

        return listener(self)

    def tell_defect(self, text: str) -> int:
        """A traceback, which is worth a report; returns the exit code."""
        self.log("\n".join(map(shown, text.rstrip().splitlines())))
        return self.tell_error(ReconcileError("this is a defect of reconcile, not yours", hint=DEFECT))

    def log(self, text: str) -> None:
        """Lines on stderr, also with `-q`."""
        complain(_fitting(self._guarded(text) + "\n", sys.stderr))

    def _guarded(self, text: str) -> str:
        return guarded(text, self.secrets, os.environ)


def _error_lines(error: ReconcileError) -> list[str]:
    return error.problems if isinstance(error, SpecError) else str(error).splitlines()


def _fitting(text: str, stream: Any) -> str:
    """The text as the stream's encoding can say it; a C locale must never end a run."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)


def global_options(verb: Verb) -> Verb:
    """Adds the global flags to a verb, which is called with a `Face`; they work before and after the verb."""

    @click.option("-C", "directory", metavar="DIR", help="Run as if started in DIR.")
    @click.option("-f", "file", metavar="FILE", help="The spec file (default: reconcile.yaml).")
    @click.option("--var", "variables", metavar="K=V", multiple=True, help="Set a variable of the spec.")
    @click.option("-q", "--quiet", is_flag=True, help="Only the result and errors.")
    @click.option("-v", "--verbose", count=True, help="Say more.")
    @click.option("--no-color", "plain", is_flag=True, help="No colours, no progress.")
    @click.option("--json", "json", is_flag=True, help="Machine output on stdout.")
    @click.pass_context
    @wraps(verb)
    def wrapped(ctx: click.Context, /, **given: Any) -> Any:
        ours = {
            name: given.pop(name) for name in ("directory", "file", "variables", "quiet", "verbose", "plain", "json")
        }
        outer = (ctx.parent or ctx).obj or Face()
        ctx.obj = _merged(outer, ours)
        return verb(ctx.obj, **given)

    return wrapped  # type: ignore[return-value]


def _merged(outer: Face, given: dict[str, Any]) -> Face:
    directory = given["directory"]
    return Face(
        directory=str(Path(outer.directory, directory)) if directory else outer.directory,
        file=given["file"] or outer.file,
        variables={**outer.variables, **dict(_pair(text) for text in given["variables"])},
        quiet=given["quiet"] or outer.quiet,
        verbose=given["verbose"] + outer.verbose,
        plain=given["plain"] or outer.plain,
        json=given["json"] or outer.json,
        secrets=outer.secrets,
        voice=outer.voice,
    )


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise UsageError(f"`{text}` is not K=V", op="--var", hint="--var env=prod")
    return name, value
