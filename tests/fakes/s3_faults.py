"""How a store can go wrong: before the work, after it, instead of it, or in what it says of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
import re


@dataclass(frozen=True)
class Request:
    """What a client sent; `key` None for the bucket itself, header names in lower case."""

    op: str
    method: str
    key: str | None
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Answer:
    """What goes back; `cut` bytes of it only, where that is less than it promises."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None


class Lost(Exception):  # noqa: N818 - no error but an event
    """The connection breaks here."""


Work = Callable[[Request], Answer]
Act = Callable[[Request, Work], Answer]


@dataclass
class Fault:
    """`act` instead of the work of the `nth` request of one op, and of the following ones, `times` in all.

    `where` narrows it to some requests; `reads` ends the connection when so many bytes of the body have come.
    """

    op: str
    act: Act
    nth: int = 1
    times: int = 1
    seen: int = 0
    fired: int = 0
    where: Callable[[Request], bool] = lambda _request: True
    reads: int | None = None

    def strikes(self, request: Request) -> bool:
        """Whether this request is the one."""
        if request.op != self.op or not self.where(request):
            return False
        self.seen += 1
        struck = self.nth <= self.seen < self.nth + self.times
        self.fired += struck
        return struck


def error(status: int, code: str, **headers: str) -> Answer:
    """An answer that is an error of S3."""
    body = f"<Error><Code>{code}</Code><Message>as told</Message></Error>".encode()
    return Answer(status, body, {name.replace("_", "-"): value for name, value in headers.items()})


def refuse(status: int, code: str, **headers: str) -> Act:
    """Nothing is done, and said so."""
    return lambda request, work: error(status, code, **headers)


def lose_before() -> Act:
    """Nothing is done, nothing is said."""

    def act(request: Request, work: Work) -> Answer:
        raise Lost

    return act


def lose_after() -> Act:
    """All is done, nothing is said."""

    def act(request: Request, work: Work) -> Answer:
        work(request)
        raise Lost

    return act


def fail_after(status: int = 500, code: str = "InternalError") -> Act:
    """All is done, and the answer says that it failed."""

    def act(request: Request, work: Work) -> Answer:
        work(request)
        return error(status, code)

    return act


def answer(told: Answer) -> Act:
    """Nothing is done; this is said."""
    return lambda request, work: told


def html() -> Act:
    """A proxy answers in the place of the store."""
    return answer(Answer(200, b"<html><body>Please sign in</body></html>", {"Content-Type": "text/html"}))


def keep(change: Callable[[bytes], bytes]) -> Act:
    """Other bytes are kept than were sent, and their ETag is told."""
    return lambda request, work: work(replace(request, body=change(request.body)))


def tell(change: Callable[[Answer], Answer]) -> Act:
    """All is done, and told in another way."""
    return lambda request, work: change(work(request))


def rewrite(pattern: str, by: str) -> Act:
    """All is done; the XML of the answer is changed."""
    return tell(lambda told: replace(told, body=re.sub(pattern, by, told.body.decode(), flags=re.DOTALL).encode()))
