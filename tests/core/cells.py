"""The world of one key: a source, a record, a target, each said in a word, and what the core decides about it.

The words: `absent`, a content (`A`, `B`, `C`), `directory`, `special`, `symlink`, `unknown`; for a source also
`ignored` and `unselected`. A cell answers what the core asks as truthfully as a perfect pair of stores would.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from typing import Any

from msgspec import Struct

from reconcile.core.decide import Ask, Decision, Facts, Source, decide, source_state, target_state
from reconcile.core.entry import ABSENT, Digest, Entry, Kind, Problem, Version
from reconcile.core.errors import CorruptStateError
from reconcile.core.march import Row, Tally, march
from reconcile.core.policy import Policy
from reconcile.core.record import Record

KEY = "k"
CONTENTS = ("A", "B", "C")
WORDS = ("absent", *CONTENTS, "directory", "special", "unknown")
_KINDS = {"special": Kind.SPECIAL, "symlink": Kind.SYMLINK}


def digest(content: str) -> Digest:
    return Digest(sha256(content.encode()).digest())


class Cell(Struct, frozen=True):
    """One key. `version` is the target's: by default its content, and so the recorded one where that is the same."""

    source: str = "absent"
    record: str = "absent"
    target: str = "absent"
    sizes: dict[str, int] = {}
    hashed: bool = True
    proves: bool = True
    settled: bool = True
    accepted: bool = False
    accepted_waits: bool = False
    version: str = ""
    source_mtime: int = 0
    target_mtime: int = 0
    source_executable: bool = False
    record_executable: bool = False
    target_executable: bool = False
    executable: bool = False

    def size(self, content: str) -> int:
        return self.sizes.get(content, 7)

    def target_version(self) -> Version:
        return Version(self.version or self.target)

    def source_stream(self) -> Iterator[Entry | Problem]:
        word = self.source
        if word == "unknown":
            yield Problem(KEY, "cannot be read")
        elif word == "directory":
            yield Entry(KEY + "/", 0, ABSENT, kind=Kind.DIRECTORY)
        elif word in _KINDS:
            yield Entry(KEY, 0, Version("x"), kind=_KINDS[word])
        elif word in CONTENTS:
            known = digest(word) if self.hashed else None
            version = Version(f"here {word}")
            yield Entry(KEY, self.size(word), version, self.source_mtime, known, executable=self.source_executable)

    def record_stream(self) -> Iterator[Record]:
        """Only files are ever recorded; a state that cannot be read ends every plan."""
        word = self.record
        if word == "unknown":
            raise CorruptStateError("damaged")
        if word in CONTENTS:
            version = Version(word)
            bits = {"settled": self.settled, "executable": self.record_executable, "accepted": self.accepted}
            yield Record(KEY, self.size(word), digest(word), version, **bits)

    def target_stream(self) -> Iterator[Entry | Problem]:
        word = self.target
        if word == "unknown":
            yield Problem(KEY, "cannot be read", side="target")
        elif word == "directory":
            yield Entry(KEY + "/", 0, ABSENT, kind=Kind.DIRECTORY)
        elif word in _KINDS:
            yield Entry(KEY, 0, Version("x"), kind=_KINDS[word])
        elif word in CONTENTS:
            version = self.target_version()
            yield Entry(KEY, self.size(word), version, self.target_mtime, executable=self.target_executable)

    def row(self) -> Row | None:
        """What the march makes of it; None when it is settled, or nowhere."""
        streams = (self.source_stream(), self.record_stream(), self.target_stream())
        rows = list(march(*streams, Tally(), executable=self.executable))
        return next((row for row in rows if row.key == KEY), None)

    def decide(self, policy: Policy) -> Decision | None:
        row = self.row()
        return None if row is None else self._decide(row, policy)

    def _decide(self, row: Row, policy: Policy) -> Decision | None:
        facts = self._given()
        for _ in range(5):
            source = source_state(row, facts)
            if isinstance(source, Ask):
                facts = self._answer(facts, source)
                continue
            target = target_state(row, source, facts)
            if isinstance(target, Ask):
                facts = self._answer(facts, target)
                continue
            given = {"executable": self.executable, "accepted_waits": self.accepted_waits}
            return decide(row, policy, source, target, facts, **given)
        raise AssertionError("the core keeps asking")

    def _given(self) -> Facts:
        """What is known before anything is asked: the filter's word on a key without a source entry."""
        if self.source in ("ignored", "unselected"):
            return Facts(absence=Source(self.source))
        if self.source in ("absent", "directory") and self.record not in CONTENTS:
            return Facts(absence=Source.ABSENT)
        return Facts()

    def _answer(self, facts: Facts, ask: Ask) -> Facts:
        told: dict[str, Any] = {name: getattr(facts, name) for name in facts.__struct_fields__}
        if ask is Ask.ABSENCE:
            assert self.source in ("absent", "directory")
            told["absence"] = Source.ABSENT
        elif ask is Ask.SOURCE_DIGEST:
            told["source_digest"] = digest(self.source)
        else:
            read_back = self.proves or self.target_version() == self.record
            told["target_asked"] = True
            told["target_recorded"] = self.record == self.target and read_back
            told["target_equal"] = self.source == self.target if self.proves else None
            if self.source in CONTENTS:
                told["source_digest"] = digest(self.source)
        return Facts(**told)


def answer(decision: Decision | None) -> str:
    """A decision in two words: `update changed`, `conflict never-met`, `problem in-the-way`, `-`."""
    if decision is None:
        return "-"
    if decision.action is not None:
        return f"{decision.action} {decision.reason}"
    return f"{'problem' if decision.problem else 'conflict'} {decision.reason}"
