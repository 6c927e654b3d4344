"""A store whose busy moments are waited out, and whose lost replies are recognised."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from itertools import chain, islice
from typing import TypeVar

from reconcile.abilities import Marked
from reconcile.core.entry import Digest, Entry, Problem, Version
from reconcile.core.errors import BusyError, ChangedError, DamagedError, NotFoundError, StoreError
from reconcile.ports import Body, Clock, Hashes, Store
from reconcile.stores.patience import Paged, Patience
from reconcile.stores.wrapper import Wrapper

T = TypeVar("T")


class Retrying(Wrapper):
    """Only `BusyError` is tried again. A change that was tried again may have happened the first time already.

    If the store then says that it is not as expected, it is asked whether that is our own doing: by the token of the
    write, else by the digest. If nothing tells, the outcome stays unknown and the `BusyError` is raised. Stores of one
    service share one `patience`.
    """

    def __init__(self, inner: Store, *, clock: Clock, patience: Patience | None = None) -> None:
        super().__init__(inner)
        self._patience = patience or Patience(clock)
        if isinstance(inner, Paged):
            inner.ask = self._patience.call

    def _call(self, verb: str, key: str, run: Callable[[], T]) -> T:  # noqa: ARG002 - every call is worth the same
        return self._patience.call(run)

    def ensure(self, *, dry: bool = False) -> Sequence[str]:
        """Where nothing is to be made, maybe nobody was asked."""
        return self._patience.call(lambda: self.inner.ensure(dry=dry), asks=False)

    def _stream(self, verb: str, key: str, run: Callable[[], Iterator[T]]) -> Iterator[T]:
        """Tried again until the first bit has come."""

        def begun() -> Iterator[T]:
            stream = run()
            return chain(list(islice(stream, 1)), stream)

        yield from self._call(verb, key, begun)

    def list(self, under: str = "", *, after: str | None = None, until: str | None = None) -> Iterator[Entry | Problem]:
        """Page by page; else on after the last key where the store lists in byte order, or only the beginning again."""
        if isinstance(self.inner, Paged):
            yield from self.inner.list(under, after=after, until=until)
            return
        last: str | None = None

        def rest() -> Iterator[Entry | Problem] | None:
            if last is None:
                return self.inner.list(under, after=after, until=until)
            return self.inner.list(under, after=last, until=until) if self.traits.order == "bytes" else None

        for found in self._resumed(rest):
            last = found.key
            yield found

    def read(self, key: str, *, version: Version | None = None, span: tuple[int, int] | None = None) -> Iterator[bytes]:
        """Goes on after the last byte, where a version makes sure that it is the same content."""
        given = 0

        def rest() -> Iterator[bytes] | None:
            if not given:
                return self.inner.read(key, version=version, span=span)
            if version is None:
                return None
            start, end = span or (0, self._size(key, version))
            return self.inner.read(key, version=version, span=(start + given, end)) if start + given < end else iter(())

        for chunk in self._resumed(rest):
            given += len(chunk)
            yield chunk

    def write(self, key: str, body: Body, *, expect: Version) -> Entry:
        """Ours if it carries our token, or else our digest; ours, but other bytes than were sent, is damage."""

        def is_ours(there: Entry) -> bool | None:
            hashes = Hashes(body.digest, body.md5) if body.digest is not None else None
            if not body.token or not isinstance(self, Marked):
                return self._holds(there, body.size_bytes, hashes)
            if self.token(key) != (there.version, body.token):
                return False
            if self._holds(there, body.size_bytes, hashes) is False:
                raise DamagedError("keeps other bytes than were sent", op="write", path=key)
            return True

        return self._changed(key, lambda: self.inner.write(key, body, expect=expect), is_ours)

    def copy(self, entry: Entry, key: str, *, expect: Version) -> Entry:
        """Ours if it has the digest of the source, or what the source still there tells of itself."""
        return self._changed(
            key,
            lambda: self.inner.copy(entry, key, expect=expect),
            lambda there: self._is_copy(there, entry),
        )

    def move(self, entry: Entry, key: str, *, expect: Version) -> Entry:
        """One step, and ours if it has the digest of the source; else a copy and a delete, each tried for itself."""
        if self.traits.move_atomic:
            return self._changed(
                key,
                lambda: self.inner.move(entry, key, expect=expect),
                lambda there: self._holds(there, entry.size, _only(entry.digest)),
            )
        return self._moved(entry, key, expect)

    def delete(self, items: Sequence[tuple[str, Version]]) -> Sequence[Exception | None]:
        """Tries again only what was busy; what a lost reply has deleted is absent, and absent is done."""
        answers: dict[int, Exception | None] = {}
        waiting = list(range(len(items)))

        def once() -> None:
            nonlocal waiting
            told = self.inner.delete([items[at] for at in waiting])
            answers.update(zip(waiting, told, strict=True))
            waiting = [at for at in waiting if isinstance(answers[at], BusyError)]
            for answer in told:
                if isinstance(answer, BusyError):
                    raise answer

        try:
            self._patience.call(once)
        except BusyError as error:
            answers.update(dict.fromkeys(waiting, error))
        return [answers[at] for at in range(len(items))]

    def _resumed(self, rest: Callable[[], Iterator[T] | None]) -> Iterator[T]:
        """All of a stream: `rest` gives what is left of it, None when that cannot be asked for."""
        attempt = 0
        busy: BusyError | None = None
        while True:
            self._patience.wait()
            try:
                stream = rest()
                if stream is None:
                    break
                for found in stream:
                    attempt = 0
                    yield found
            except BusyError as error:
                busy, attempt = error, attempt + 1
                if not self._patience.again(attempt, error):
                    raise
            else:
                self._patience.succeeded()
                return
        assert busy is not None
        raise busy

    def _changed(self, key: str, run: Callable[[], Entry], is_ours: Callable[[Entry], bool | None]) -> Entry:
        lost: BusyError | None = None

        def once() -> Entry:
            nonlocal lost
            try:
                return run()
            except BusyError as error:
                lost = error
                raise

        try:
            return self._patience.call(once)
        except (ChangedError, NotFoundError) as refused:
            if lost is None:
                raise
            return self._recognised(key, is_ours, lost, refused)

    def _recognised(
        self, key: str, is_ours: Callable[[Entry], bool | None], lost: BusyError, refused: StoreError
    ) -> Entry:
        """What is under `key` if it is our own doing; `refused` if it is not, `lost` if nothing tells."""
        there = self.stat(key)
        ours = False if there is None else is_ours(there)
        if ours is None:
            raise lost from refused
        if there is None or not ours:
            raise refused
        return there

    def _is_copy(self, there: Entry, entry: Entry) -> bool | None:
        """Whether `there` has the content of `entry`; where nobody told a digest, the source is asked for it."""
        held = self._holds(there, entry.size, _only(entry.digest))
        source = self.stat(entry.key) if held is None else None
        if source is None or source.version != entry.version:
            return held
        same = there.version == source.version or (there.digest is not None and there.digest == source.digest)
        return same or None

    def _holds(self, there: Entry, size_bytes: int, hashes: Hashes | None) -> bool | None:
        """Whether an entry has this content; read back where the store cannot tell. None without a digest."""
        if there.size != size_bytes:
            return False
        if hashes is None:
            return None
        proven = self.prove(there, hashes)
        if proven is not None:
            return proven
        found = sha256()
        for chunk in self.read(there.key, version=there.version):
            found.update(chunk)
        return found.digest() == hashes.sha256

    def _size(self, key: str, version: Version) -> int:
        there = self.stat(key)
        is_another = there is not None and there.version != version and self.traits.returns_version
        if there is None or is_another:  # where a write tells no version, reading on compares what it can
            raise ChangedError("was changed while it was read", op="read", path=key)
        return there.size


def _only(digest: Digest | None) -> Hashes | None:
    return Hashes(digest) if digest is not None else None
