"""Plans and applies whenever something may have changed, until it is stopped.

What the system tells of changed files is a hint, never the truth: every pass plans its mappings as a whole, from a
freshly wired house, so that a lost hint costs time (until the next resync) and never a file. A pass that fails is said
and tried again, later each time. Nothing but a stop ends the watch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
import os
from pathlib import Path
import threading
from typing import Final

from reconcile.core.counts import plural, seconds_text
from reconcile.core.errors import ReconcileError, StoppedError, UsageError
from reconcile.core.events import Note, Warn
from reconcile.core.outcome import Result
from reconcile.core.path import has_control, is_under
from reconcile.core.reasons import conflict_sentence
from reconcile.flow.applying import ApplyOptions, Hooks, apply
from reconcile.flow.wire import Reach, wire
from reconcile.ports import Hints
from reconcile.scan.hints import FileHints, identity, signature
from reconcile.spec.location import resolve_url
from reconcile.spec.model import Spec
from reconcile.state.cache import cache_directory

FIRST_RETRY_S: Final = 1.0
LONGEST_RETRY_S: Final = 60.0
"""After a failure the next pass waits so long, twice as long after each further one."""

BLIND_S: Final = 30.0
"""Where the system tells nothing, everything is looked at at least this often."""

Reload = Callable[[], Spec]
OpenHints = Callable[[Iterable[str], Iterable[str], threading.Event], Hints]


@dataclass(frozen=True, slots=True)
class WatchOptions:
    """What to watch, and how each pass applies. `debounce_s` and `resync_s` None: as the spec has them."""

    reach: Reach = field(default_factory=Reach)
    apply: ApplyOptions = field(default_factory=ApplyOptions)
    debounce_s: float | None = None
    resync_s: float | None = None


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a watch hears and tells beside the events: `reload` reads the spec again, `heard` gets every result."""

    reload: Reload | None = None
    heard: Callable[[Result], None] = lambda _result: None
    open_hints: OpenHints = FileHints


def watch(spec: Spec, options: WatchOptions, hooks: Hooks, around: Surroundings | None = None) -> None:
    """Watches until `hooks.stop` is set. Raises `UsageError` when the very first pass shows that it cannot work."""
    if spec.watch.lease == "session":
        raise UsageError("lease: session is not built yet", op="watch", hint="lease: batch, which is the default")
    watching = _Watch(spec, options, hooks, around or Surroundings())
    try:
        watching.run()
    finally:
        watching.close()


@dataclass(frozen=True, slots=True)
class _Places:
    """What is listened to: the trees of the sources (with what tells one directory from another), and single files."""

    roots: tuple[str, ...]
    files: tuple[str, ...]
    ours: tuple[str, ...]

    @classmethod
    def of(cls, spec: Spec, reach: Reach) -> _Places:
        """The local sources of the spec, and its file."""
        chosen = [one for name, one in spec.mappings.items() if not reach.mappings or name in reach.mappings]
        places = [resolve_url(spec, mapping.source) for mapping in chosen]
        sources = sorted({os.path.realpath(place.path) for place in places if place.is_local})
        single = [path for path in sources if Path(path).is_file()]
        return cls(
            tuple(path for path in sources if path not in single),
            (*single, *([os.path.realpath(spec.file)] if spec.file else [])),
            tuple(own for own in _ours(spec) if not any(root.startswith(own) for root in sources)),
        )

    def signature(self) -> tuple[object, ...]:
        """What must stay the same for the hints to be those of these places."""
        return (self.files, *((root, identity(root)) for root in self.roots))

    def concerns(self, path: str) -> bool:
        """Whether a change there could be anything but our own doing."""
        if any(path.startswith(own) for own in self.ours):
            return False
        return not any(is_under(path, root) and has_control(os.path.relpath(path, root)) for root in self.roots)


def _ours(spec: Spec) -> Iterator[str]:
    """Beginnings of the paths that a pass itself writes: the state with its side files, and the cache."""
    yield os.path.realpath(cache_directory()) + os.path.sep
    place = resolve_url(spec, spec.state)
    if place.is_local:
        state = Path(os.path.realpath(place.path))
        yield f"{state.parent}{os.path.sep}" if state.parent.name == "state" else str(state)


class _Watch:
    """One watch."""

    def __init__(self, spec: Spec, options: WatchOptions, hooks: Hooks, around: Surroundings) -> None:
        self._spec = spec
        self._options = options
        self._hooks = hooks
        self._around = around
        self._places = _Places.of(spec, options.reach)
        self._spec_seen = signature(spec.file)
        self._hints: Hints | None = None
        self._listened: tuple[object, ...] = ()
        self._failures = 0
        self._deaf = False
        self._quiet = False
        self._passes = 0
        self._said: set[str] = set()

    def run(self) -> None:
        """Pass after pass; the first one at once, for what changed while nobody watched."""
        while not self._hooks.stop.is_set():
            self._pass()
            self._passes += 1
            self._wait()

    def close(self) -> None:
        """Stops listening."""
        if self._hints is not None:
            self._hints.close()

    def _pass(self) -> None:
        self._take_spec()
        self._listen()
        try:
            with wire(self._spec, write=True, clock=self._hooks.clock, reach=self._options.reach) as house:
                result = apply(house, None, replace(self._options.apply, operation="watch"), self._hooks)
        except StoppedError:
            return
        except ReconcileError as error:
            if not self._passes and isinstance(error, UsageError):
                raise
            self._failed(str(error), error.hint)
            self._deaf = True
        else:
            self._deaf = False
            self._tell(result)

    def _take_spec(self) -> None:
        """An edit of the spec is taken over if it is sound; else the old one goes on."""
        if self._around.reload is None or (seen := signature(self._spec.file)) == self._spec_seen:
            return
        self._spec_seen = seen
        try:
            spec = self._around.reload()
        except ReconcileError as error:
            self._warn(f"{self._spec.file} was edited and is not sound; the old one goes on: {error}")
            return
        if spec.digest != self._spec.digest:
            self._hooks.sink(Note(f"{spec.file} was edited and is taken over", "~"))
        self._spec = spec

    def _listen(self) -> None:
        """Listens to the places of the spec *before* they are planned, so that nothing falls between."""
        self._places = _Places.of(self._spec, self._options.reach)
        if self._places.signature() == self._listened and self._hints is not None:
            return
        self.close()
        self._listened = self._places.signature()
        self._hints = self._around.open_hints(self._places.roots, self._places.files, self._hooks.stop)
        self._quiet = False

    def _wait(self) -> None:
        """Until a pass is due: hints came and fell silent (or went on for too long), a retry, the resync; or a stop."""
        assert self._hints is not None
        clock, settings = self._hooks.clock, self._spec.watch
        debounce_s = self._options.debounce_s if self._options.debounce_s is not None else settings.debounce_s
        due = clock.monotonic() + self._pause_s()
        latest = due
        while not self._hooks.stop.is_set() and (left_s := due - clock.monotonic()) > 0:
            heard = [path for path in self._hints.wait(left_s) if self._matters(path)]
            self._check_hearing()
            if heard:
                now = clock.monotonic()
                latest = min(latest, now + settings.max_delay_s)
                due = min(now + debounce_s, latest)

    def _matters(self, path: str) -> bool:
        """While nothing works, only an edit of the spec is worth a try before its time."""
        return (path in self._places.files) if self._deaf else self._places.concerns(path)

    def _pause_s(self) -> float:
        resync_s = self._options.resync_s if self._options.resync_s is not None else self._spec.watch.resync_s
        if self._failures:
            resync_s = min(resync_s, self._retry_s())
        if self._hints is not None and self._hints.trouble:
            return min(resync_s, BLIND_S)
        return resync_s

    def _retry_s(self) -> float:
        return float(min(FIRST_RETRY_S * 2 ** min(self._failures - 1, 10), LONGEST_RETRY_S))

    def _check_hearing(self) -> None:
        """Says once that changes are not told any more."""
        if self._hints is not None and self._hints.trouble and not self._quiet:
            self._quiet = True
            every = seconds_text(min(BLIND_S, self._pause_s()))
            self._warn(f"the system tells no changes ({self._hints.trouble}): looking every {every} instead")

    def _failed(self, why: str, hint: str = "") -> None:
        self._failures += 1
        self._warn(f"{why}{f': {hint}' if hint else ''}; again in {seconds_text(self._retry_s())}")

    def _tell(self, result: Result) -> None:
        """What a person should know of a pass, each thing once while it lasts."""
        self._around.heard(result)
        waiting = list(_waiting(result))
        for text in waiting:
            if text not in self._said:
                self._hooks.sink(Note(text, "!"))
        self._said = set(waiting)
        failed, recovered = result.exit_code == 7, self._failures > 0 and result.exit_code != 7
        if failed:
            self._failed(f"{plural(result.failure_count + len(result.problems), 'path')} could not be settled")
        elif result.exit_code == 0 and (recovered or not self._passes):
            self._hooks.sink(Note(f"in sync, {plural(result.skip_count + result.success_count, 'path')}", "="))
        if not failed:
            self._failures = 0
        self._check_hearing()

    def _warn(self, text: str) -> None:
        self._hooks.sink(Warn(text))


def _waiting(result: Result) -> Iterator[str]:
    """What waits for a person: guards, conflicts, unreadable paths."""
    for refusal in result.refusals:
        if not refusal.allowed:
            way = f"reconcile apply --allow {refusal.permission}:{refusal.mapping}"
            yield f"{refusal.mapping} halted: {refusal.detail}. If you mean it: {way}"
    for conflict in result.conflicts:
        yield f"{conflict.mapping}: {conflict.key}: {conflict_sentence(conflict)}"
    for problem in result.problems:
        yield f"{problem.key} cannot be read: {problem.reason}"
