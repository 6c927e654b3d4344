"""The script of a watch: what happens when, what of it is heard, and a clock that only the script moves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
import threading
import time
from typing import Any

from reconcile.core.events import ActionEnd, Note, Warn
from reconcile.core.outcome import Result
from reconcile.flow.applying import Hooks
from reconcile.flow.watching import Surroundings, WatchOptions, watch
from reconcile.spec.load import build
from reconcile.spec.model import Spec

Step = tuple[float, Callable[[], object] | None, bool | Path]


@dataclass
class Script:
    """A clock, and the hints of a story: after so many seconds something happens, and is heard or not; then the end.

    `moments` holds when each pass had its result.
    """

    root: Path
    steps: list[Step] = field(default_factory=list)
    trouble: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    watch: dict[str, Any] = field(default_factory=dict)
    at: float = 0.0
    events: list[Any] = field(default_factory=list)
    results: list[Result] = field(default_factory=list)
    moments: list[float] = field(default_factory=list)
    followed: list[list[str]] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        (self.root / "src").mkdir(exist_ok=True)

    def spec(self) -> Spec:
        document = {
            "state": "state/reconcile.db",
            "mappings": {"docs": {"source": "./src", "target": "./out", **self.options}},
            "watch": self.watch,
        }
        return build(document, root=self.root, file=str(self.root / "reconcile.yaml"))

    def then(self, after_s: float, does: Callable[[], object] | None = None, *, heard: bool | Path = True) -> Script:
        """After so many seconds something is done; `heard`: the system tells (of that path, or one of the source)."""
        self.steps.append((after_s, does, heard))
        return self

    def wait(self, timeout_s: float) -> frozenset[str]:
        if not self.steps:
            self.stop.set()
            return frozenset()
        after_s, does, heard = self.steps[0]
        if after_s > timeout_s:
            self.steps[0] = (after_s - timeout_s, does, heard)
            self.at += timeout_s
            return frozenset()
        self.steps.pop(0)
        self.at += after_s
        if does is not None:
            does()
        told = heard if isinstance(heard, Path) else self.root / "src" / "x"
        return frozenset({str(told)}) if heard else frozenset()

    def close(self) -> None:
        pass

    def monotonic(self) -> float:
        return self.at

    def now(self) -> float:
        return time.time()

    def sleep(self, seconds: float) -> None:
        self.at += seconds

    def _open(self, roots: Any, files: Any, _stop: Any) -> Script:
        self.followed.append([*roots, *files])
        return self

    def _heard(self, result: Result) -> None:
        self.results.append(result)
        self.moments.append(round(self.at, 3))

    def run(self, reload: Callable[[], Spec] | None = None, **options: Any) -> Script:
        around = Surroundings(reload, self._heard, self._open)
        watch(self.spec(), WatchOptions(**options), Hooks(self.events.append, lambda _: True, self, self.stop), around)
        return self

    @property
    def told(self) -> list[str]:
        return [event.text for event in self.events if isinstance(event, (Note, Warn))]

    @property
    def done(self) -> list[str]:
        return [f"{e.action} {e.path}" for e in self.events if isinstance(e, ActionEnd) and e.outcome == "done"]

    def put(self, name: str, text: str = "text") -> Callable[[], object]:
        def write() -> None:
            path = self.root / "src" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

        return write
