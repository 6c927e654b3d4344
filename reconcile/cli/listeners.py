"""Who hears the events of a run: a progress bar on a terminal, JSON lines on stdout, or nobody."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
import time
from typing import TYPE_CHECKING, Any, Self

from msgspec import Struct

from reconcile.cli.face import Face
from reconcile.core.events import ActionEnd, ActionStart, Progress, Start, Warn
from reconcile.core.path import shown

if TYPE_CHECKING:
    from reconcile.core.outcome import Result
    from reconcile.ports import Sink


@contextmanager
def listener(face: Face) -> Iterator[Sink]:
    """The listener that fits the call."""
    if face.live:
        with _Bar() as bar:
            yield bar
    elif face.json:
        yield lambda _event: None
    else:
        yield _Log(face)


def hushed(sink: Sink) -> AbstractContextManager[None]:
    """Keeps a progress bar off the terminal while a person reads and answers; it would paint over the question."""
    return sink.hushed() if isinstance(sink, _Bar) else nullcontext()


class _Log:
    """Warnings, and with `-v` every action, as lines on stderr."""

    def __init__(self, face: Face) -> None:
        self._face = face

    def __call__(self, event: Struct) -> None:
        if isinstance(event, Warn):
            self._face.note(f"Warning: {shown(event.text)}")
        elif isinstance(event, ActionEnd) and self._face.verbose:
            self._face.note(f"{event.outcome} {event.action} {shown(event.path)}")


class JsonLines:
    """Every event as a line of JSON on stdout, numbered and timed; `report` writes the last one."""

    def __init__(self, face: Face) -> None:
        self._face = face
        self._seq = 0

    def __call__(self, event: Struct) -> None:
        """Writes one line."""
        from reconcile.report.json import event_line  # noqa: PLC0415 - only for --json

        self._seq += 1
        self._face.write(event_line(event, self._seq, time.time()))

    def report(self, result: Result) -> None:
        """The last line."""
        from reconcile.report.json import report_line  # noqa: PLC0415 - only for --json

        self._seq += 1
        self._face.write(report_line(result, self._seq, time.time()))


class _Bar:
    """A progress bar on stderr: what is looked at while planning, bytes and actions while applying."""

    def __init__(self) -> None:
        from rich import console, progress  # noqa: PLC0415 - only on a terminal

        columns = (
            progress.TextColumn("{task.description}"),
            progress.BarColumn(),
            progress.TextColumn("{task.fields[told]}"),
            progress.TimeElapsedColumn(),
        )
        self._bars = progress.Progress(*columns, console=console.Console(stderr=True), transient=True)
        self._task: Any = None
        self._done = 0

    def __enter__(self) -> Self:
        self._bars.start()
        self._task = self._bars.add_task("Looking", total=None, told="")
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    @contextmanager
    def hushed(self) -> Iterator[None]:
        """Takes the bar away, and brings it back."""
        self._bars.stop()
        try:
            yield
        finally:
            self._bars.start()

    def __call__(self, event: Struct) -> None:
        if isinstance(event, Start):
            self._done = 0
            self._bars.update(self._task, description="Applying", total=event.actions, completed=0, told="")
        elif isinstance(event, ActionStart):
            self._bars.update(self._task, told=shown(event.path)[-48:])
        elif isinstance(event, ActionEnd):
            self._done += 1
            self._bars.update(self._task, completed=self._done)
        elif isinstance(event, Progress):
            self._bars.update(self._task, told=f"{event.mapping}: {event.done:,} paths")
        elif isinstance(event, Warn):
            self._bars.console.print(f"Warning: {shown(event.text)}", markup=False, highlight=False)
