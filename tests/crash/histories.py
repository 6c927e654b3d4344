"""Histories: two or three real applies on one state, with pauses, deaths and broken locks; then what must hold.

::

    python -m tests.crash.histories KIND FIRST COUNT [ENDPOINT]

plays the histories numbered `FIRST … FIRST + COUNT - 1` and prints one JSON line for each that went wrong, and one with
the counts.
KIND says where state and target are: `local` (both on disk), `shared` (state in S3), `s3` (state and target in S3).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass, field
from functools import partial
import gc
from io import StringIO
import json
import os
from pathlib import Path
import random
import shutil
import ssl
import sys
import tempfile
import threading
import time
import traceback
from typing import Any

from tests.crash import actors, told
from tests.crash.actors import Actor, Book, Fate, command, start
from tests.crash.mortal import warm
from tests.flow.small_trees import NAMES, fits, make

KINDS = ("local", "shared", "s3")
SPEC = """\
version: 1
state: {state}
stores: {{there: {{url: "s3://{bucket}", endpoint: "{endpoint}", region: us-east-1}}}}
mappings:
  docs: {{source: ./src, target: "{target}", conflict: {conflict}, guard: {{max_delete: off}}}}
"""
USUAL_STEPS = {"local": 260, "shared": 260, "s3": 240}


class WrongError(AssertionError):
    """Something that must hold does not."""


@dataclass
class History:
    """One seed, played in `root`."""

    kind: str
    seed: int
    root: Path
    endpoint: str = ""
    bucket: str = ""
    counts: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.chance = random.Random(f"{self.kind} {self.seed}")
        self.book = Book(self.root / "book")
        self.actors: list[Actor] = []
        self.number = 0
        self.strangers: dict[str, str] = {}
        self.steps = USUAL_STEPS[self.kind]
        self.conflict = self.chance.choice(["source", "source", "fail"])
        self.late = False
        self.broken: set[str] = set()
        (self.root / "src").mkdir()
        (self.root / "reconcile.yaml").write_text(self._spec())

    def _spec(self) -> str:
        prefix = f"{self.kind}-{self.seed}-{os.getpid()}"
        state = "state/reconcile.db" if self.kind == "local" else f"there:{prefix}/state"
        target = f"there:{prefix}/out" if self.kind == "s3" else "./out"
        given = {"state": state, "target": target, "conflict": self.conflict}
        return SPEC.format(bucket=self.bucket or "none", endpoint=self.endpoint or "http://127.0.0.1:1", **given)

    # --- what may happen

    def play(self) -> None:
        """The whole history; `WrongError` says what did not hold."""
        self.edit_source()
        if self.chance.random() < 0.7:
            self.apply("none")
            self.edit_source()
        for _ in range(self.chance.choice([2, 2, 3])):
            self.apply(self.chance.choice(["none", "stop", "stop", "kill"]))
            for happening in self.chance.sample([self.edit_source, self.edit_target, self.unlock, self.unlock], 3):
                if self.chance.random() < 0.5:
                    happening()
        paused = [actor for actor in self.actors if actor.stopped]
        self.chance.shuffle(paused)
        for actor in paused:
            time.sleep(actors.STALE_S)
            actor.go_on()
            self.counts["went on"] += 1
            if self.chance.random() < 0.3:  # side by side with another one
                self.apply("none", "--lock-timeout", "5s")
        for actor in paused:
            while actor.code is None:
                actor.wait()
                if actor.stopped:
                    actor.go_on()
        self.check()

    def run(self, *words: str, fate: Fate | None = None) -> Actor:
        """The command in a process of its own, on one of two machines (a cache each)."""
        self.number += 1
        os.environ["RECONCILE_CACHE_DIR"] = str(self.root / f"cache-{self.chance.randrange(2)}")
        work = command("-C", str(self.root), *words)
        actor = start(work, self.root / f"said-{self.number}", fate or Fate("none", 0), self.book)
        actor.wait()
        return actor

    def apply(self, fate: str, *words: str) -> None:
        holder = next((actor for actor in self.actors if actor.stopped), None)
        before = len(list(self.book.all()))
        owner = told.owner(self.book.all(), self.broken)
        at = self.chance.randint(1, self.steps)
        actor = self.run("apply", "--auto-approve", *words, fate=Fate(fate, at))
        self.actors.append(actor)
        took = [one for one in list(self.book.all())[before:] if one["pid"] == actor.pid and "took" in one]
        if took and any(one.stopped and one.pid == owner for one in self.actors):
            raise WrongError(f"it took the lock of a living holder: {took}")
        self.counts[f"apply {'stopped' if actor.stopped else actor.code}"] += 1
        if actor.code == 6 and holder is None:
            raise WrongError(f"locked, and nobody lives: {actor.words}")
        if actor.code == 6 and any(
            "serial" in told for told in list(self.book.all())[before:] if told["pid"] == actor.pid
        ):
            raise WrongError("it was told that it may not write, and wrote")

    def unlock(self) -> None:
        shown = self.run("lock", "show", "--json")
        if shown.code != 0:
            raise WrongError(f"lock show: {shown.code} {shown.words}")
        lock = json.loads(shown.words)["lock"]
        if lock is None:
            return
        broken = self.run("unlock", lock["id"])
        if broken.code not in (0, 6):  # 6: somebody was stopped in the middle of a commit
            raise WrongError(f"unlock: {broken.code} {broken.words}")
        self.counts[f"unlock {broken.code}"] += 1
        self.broken |= {lock["id"]} if broken.code == 0 else set()
        self.late = self.late or any(actor.stopped for actor in self.actors)

    def edit_source(self) -> None:
        tree: dict[str, str] = {}
        for name in self.chance.sample(NAMES, len(NAMES)):
            if fits(tree, name) and self.chance.random() < 0.6:
                tree[name] = f"{self.chance.randrange(30)} ours"
        make(self.root / "src", tree)

    def edit_target(self) -> None:
        """A stranger writes, as strangers do: whole files, by a rename."""
        if self.kind == "s3" or not (self.root / "out").is_dir():
            return
        names = [path for path in (self.root / "out").rglob("*") if path.is_file() and ".reconcile" not in str(path)]
        path = self.chance.choice([*sorted(names), self.root / "out" / "theirs"])
        content = f"stranger {self.number} of {self.seed}"
        (self.root / "by-stranger").write_text(content)
        os.rename(self.root / "by-stranger", path)
        self.strangers[path.name] = content

    # --- what must hold

    def check(self) -> None:
        for actor in self.actors:
            if "Traceback" in actor.words or actor.code not in (0, 3, 5, 6, 7, -9):
                raise WrongError(f"{actor.code}: {actor.words}")
        notes = list(self.book.all())
        told.never_two_writers(notes)
        self.counts["fenced"] += sum("fenced" in one for one in notes)
        self.counts["commits"] += sum("serial" in one for one in notes)
        facts = self.run_check("facts")
        if facts:
            raise WrongError(f"recorded, but not so: {facts}")
        last = self.run("apply", "--auto-approve")
        if last.code != 0 and not (last.code == 3 and self.may_wait_for_a_person()):
            raise WrongError(f"the next apply: {last.code} {last.words}")
        self.counts[f"converged {last.code}"] += 1
        if wrong := self.run_check("converged", clean=last.code == 0):
            raise WrongError(f"not as wanted: {wrong}")
        told.nothing_lost(self.root, self.strangers.values())

    def may_wait_for_a_person(self) -> bool:
        """What a stranger wrote, and what was on its way when a living holder's lock was broken, may be in the way."""
        return bool(self.strangers) or self.late

    def run_check(self, what: str, **given: Any) -> list[str]:
        """Asks in a process of its own, so that this one never opens a store."""
        out = self.root / f"checked-{what}"
        work = lambda: out.write_text(json.dumps(getattr(told, what)(self.root, **given)))  # noqa: E731
        asked = start(work, self.root / f"said-{what}", Fate("none", 0), Book(self.root / "nobody"))
        asked.wait()
        if asked.code:
            raise WrongError(asked.words)
        return list(json.loads(out.read_text()))


def play(kind: str, seed: int, endpoint: str = "", bucket: str = "") -> tuple[str, Counter[str]]:
    """("", counts) of a history that went well; else what was wrong."""
    root = Path(tempfile.mkdtemp(prefix=f"history-{kind}-{seed}-"))
    history = History(kind, seed, root, endpoint, bucket)
    try:
        history.play()
    except Exception:  # noqa: BLE001 - a check of a check must not end the others
        return f"{root}\n{traceback.format_exc()}", history.counts
    finally:
        _end(history.actors)
    shutil.rmtree(root)
    return "", history.counts


def _end(actors: list[Actor]) -> None:
    for actor in actors:
        if actor.code is None:
            os.kill(actor.pid, 9)
            os.waitpid(actor.pid, 0)


def _a_day(kind: str, endpoint: str, bucket: str) -> None:
    """Everything a history does, once, said to nobody."""
    root = Path(tempfile.mkdtemp(prefix="history-"))
    os.environ["RECONCILE_CACHE_DIR"] = str(root / "cache")
    History(kind, -1, root, endpoint, bucket).edit_source()
    with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
        for words in (("apply", "--auto-approve"), ("lock", "show", "--json"), ("unlock", "0")):
            with suppress(SystemExit):
                command("-C", str(root), *words)()
    told.facts(root)
    shutil.rmtree(root)


def _warm(kind: str, endpoint: str, bucket: str) -> None:
    """What actors need is loaded, and what they make once each is made: of a store on disk here, where it leaves no
    thread and no open file behind; of any other in a child, from which the modules are known."""
    _a_day("local", "", "")
    if kind != "local":
        warm(partial(_a_day, kind, endpoint, bucket))
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    assert threading.active_count() == 1
    gc.collect()
    gc.disable()


def lines(kind: str, seeds: range, endpoint: str, bucket: str) -> Iterator[dict[str, Any]]:
    """One line for each history that went wrong, the counts last."""
    _warm(kind, endpoint, bucket)
    total: Counter[str] = Counter()
    for seed in seeds:
        wrong, counts = play(kind, seed, endpoint, bucket)
        total += counts
        if wrong:
            yield {"kind": kind, "seed": seed, "wrong": wrong}
    yield {"kind": kind, "played": len(seeds), **total}


if __name__ == "__main__":
    first, count = int(sys.argv[2]), int(sys.argv[3])
    for line in lines(sys.argv[1], range(first, first + count), *(sys.argv[4:] or ["", ""])):
        print(json.dumps(line), flush=True)
