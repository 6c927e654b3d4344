"""An S3 that watches what is done to it: after every change it says what should never have happened."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from reconcile.core.path import has_control
from tests.fakes.s3 import FakeS3, Stored
from tests.fakes.s3_faults import Answer, Request

PREFIX = "team/"


class WatchedS3(FakeS3):
    """Below `prefix`, the `target`, `precious` contents exist at every moment and `whole` keys hold one of theirs.

    All outside stays as it is. `strangers` are the keys that somebody else touched during the run, with what he left.
    """

    prefix, target = PREFIX, f"s3://bucket/{PREFIX}"

    def __init__(self) -> None:
        super().__init__()
        self.precious: Collection[bytes] = ()
        self.whole: Mapping[str, Collection[bytes]] = {}
        self.strangers: dict[str, bytes | None] = {}
        self.wrongs: list[str] = []

    def intrude(self, key: str, data: bytes | None) -> None:
        """Somebody else writes, or with None deletes."""
        gone = self.objects.pop(key, None)
        if gone is not None:
            self.precious = [content for content in self.precious if content != gone.data]
        if data is not None:
            self.put(key, data)
        self.strangers[key] = data

    def forget(self) -> None:
        """No fault is planned, nothing was asked, nobody was here."""
        self.heal()
        for seen in (self.uploads, self.log, self.strangers, self.wrongs):
            seen.clear()

    def kept(self) -> dict[str, Stored]:
        """A copy of what is there, for `restore`."""
        return dict(self.objects)

    def restore(self, kept: Mapping[str, Stored]) -> None:
        """All as it was then."""
        self.forget()
        self.objects = dict(kept)

    def pass_time(self) -> None:
        """Nothing here hangs on it."""

    def contents(self) -> dict[str, bytes]:
        """Every object's bytes by its key."""
        return {key: stored.data for key, stored in self.objects.items()}

    def shown(self) -> dict[str, bytes]:
        """What a reader finds below the prefix."""
        below = {key.removeprefix(PREFIX): data for key, data in self.contents().items() if key.startswith(PREFIX)}
        return {key: data for key, data in below.items() if not has_control(key)}

    def _work(self, request: Request) -> Answer:
        with self._lock:
            told = super()._work(request)
            if request.method != "GET" and request.method != "HEAD":
                self._look(request)
            return told

    def _look(self, request: Request) -> None:
        there = {stored.data for stored in self.objects.values()}
        when = f"after {request.op} {request.key}"
        self.wrongs += [f"{when}: the last copy of {lost!r} is gone" for lost in self.precious if lost not in there]
        for key, contents in self.whole.items():
            found = self.objects.get(key)
            if key not in self.strangers and (found is None or found.data not in contents):
                self.wrongs.append(f"{when}: {key} holds {found and found.data!r}, neither old nor new")
        if request.key is not None and not request.key.startswith(PREFIX):
            self.wrongs.append(f"{when}: that is none of ours")
