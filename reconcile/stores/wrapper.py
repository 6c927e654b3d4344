"""What the decorators of the Store port stand on: the same store, every call of which goes one way."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, Final, TypeVar

from reconcile.core.entry import Entry, Problem, Version
from reconcile.ports import Body, Hashes, Store, Traits

T = TypeVar("T")


_CALLS: Final = (
    *("token", "version_id", "restore", "probe", "discard", "finish", "confirmed", "made_from", "inside"),
    *("has_root", "put_aside", "write_many", "lasts"),
)
_STREAMS: Final = ("versions", "leftovers")
_NO_CALLS: Final = ("trust", "is_settled", "family", "name_of", "stands_as", "recall", "why_not")
"""What only some stores have: calls, calls that answer bit by bit, and what asks nobody."""


class Wrapper:
    """A store that hands every call to `inner`; what is done around a call stands in `_call` and `_stream`.

    What only some stores have is had by their wrappers, and by no others, so that it can be asked for by `isinstance`.
    """

    token: Callable[[str], tuple[Version, str] | None]

    def __init__(self, inner: Store) -> None:
        self.inner = inner
        for names, way in ((_CALLS, self._called), (_STREAMS, self._streamed), (_NO_CALLS, self._passed)):
            for name in names:
                if hasattr(inner, name):
                    setattr(self, name, partial(way, name))

    def _call(self, verb: str, key: str, run: Callable[[], T]) -> T:  # noqa: ARG002 - for those who override it
        """Around one call."""
        return run()

    def _stream(self, verb: str, key: str, run: Callable[[], Iterator[T]]) -> Iterator[T]:
        """Around one call that answers bit by bit."""
        yield from self._call(verb, key, run)

    @property
    def url(self) -> str:
        """That of the store."""
        return self.inner.url

    @property
    def traits(self) -> Traits:
        """Those of the store."""
        return self.inner.traits

    def list(self, under: str = "", *, after: str | None = None, until: str | None = None) -> Iterator[Entry | Problem]:
        """See the port, as for all below."""
        return self._stream("list", under, lambda: self.inner.list(under, after=after, until=until))

    def stat(self, key: str) -> Entry | None:
        """One look."""
        return self._call("stat", key, lambda: self.inner.stat(key))

    def read(self, key: str, *, version: Version | None = None, span: tuple[int, int] | None = None) -> Iterator[bytes]:
        """One stream."""
        return self._stream("read", key, lambda: self.inner.read(key, version=version, span=span))

    def write(self, key: str, body: Body, *, expect: Version) -> Entry:
        """One change."""
        return self._call("write", key, lambda: self.inner.write(key, body, expect=expect))

    def copy(self, entry: Entry, key: str, *, expect: Version) -> Entry:
        """One change."""
        return self._call("copy", key, lambda: self.inner.copy(entry, key, expect=expect))

    def move(self, entry: Entry, key: str, *, expect: Version) -> Entry:
        """One change."""
        return self._call("move", key, lambda: self.inner.move(entry, key, expect=expect))

    def delete(self, items: Sequence[tuple[str, Version]]) -> Sequence[Exception | None]:
        """One change; `key` is the first of the items."""
        return self._call("delete", items[0][0] if items else "", lambda: self.inner.delete(items))

    def prove(self, entry: Entry, hashes: Hashes) -> bool | None:
        """One look."""
        return self._call("prove", entry.key, lambda: self.inner.prove(entry, hashes))

    def ensure(self, *, dry: bool = False) -> Sequence[str]:
        """One look if `dry`, else one change."""
        return self._call("foresee" if dry else "ensure", "", lambda: self.inner.ensure(dry=dry))

    def close(self) -> None:
        """Closes the store."""
        self.inner.close()

    def _moved(self, entry: Entry, key: str, expect: Version) -> Entry:
        """A move in two changes of this store."""
        made = self.copy(entry, key, expect=expect)
        [error] = self.delete([(entry.key, entry.version)])
        if error is not None:
            raise error
        return made

    def _called(self, name: str, *told: Any, **named: Any) -> Any:
        return self._call(name, _key(told), lambda: self._passed(name, *told, **named))

    def _streamed(self, name: str, *told: Any, **named: Any) -> Iterator[Any]:
        return self._stream(name, _key(told), lambda: self._passed(name, *told, **named))

    def _passed(self, name: str, *told: Any, **named: Any) -> Any:
        return getattr(self.inner, name)(*told, **named)


def _key(told: tuple[Any, ...]) -> str:
    return told[0] if told and isinstance(told[0], str) else ""
