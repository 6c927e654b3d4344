"""stdout and stderr that are closed, full, or read by nobody: a run goes on, and never writes in their place."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
import os
import sys
from typing import IO, Final

_OUTRANK: Final = frozenset({130, 6, 5})
"""The exit codes that hold before 1."""


@dataclass(slots=True)
class Voice:
    """How saying goes. `goes_on`: a run does its work even if it cannot be told; `lost`: why stdout fell silent."""

    goes_on: bool = False
    lost: OSError | None = None

    def say(self, act: Callable[[], object]) -> None:
        """Does it on stdout. The first failure is the last: raised, or kept where the work goes on."""
        try:
            act()
        except OSError as error:
            hush(sys.stdout)
            self.lost = self.lost or error
            if not self.goes_on:
                raise self.told from error

    @property
    def told(self) -> OSError:
        """Why stdout fell silent, by its name; a reader that went away needs no name."""
        assert self.lost is not None
        gone = isinstance(self.lost, BrokenPipeError)
        return self.lost if gone else OSError(self.lost.errno, self.lost.strerror, "stdout")

    def ended(self, code: int) -> tuple[int, OSError | None]:
        """After the last word: the exit code, and what is to be told on stderr.

        Not to be heard is an error, which outranks most of what was not heard; but a run whose reader went away did
        what it should.
        """
        run, self.goes_on = self.goes_on, True
        self.say(sys.stdout.flush)
        if self.lost is None or (run and isinstance(self.lost, BrokenPipeError)):
            return code, None
        return code if code in _OUTRANK else 1, None if isinstance(self.lost, BrokenPipeError) else self.told


def hush(stream: IO[str]) -> None:
    """Nothing more is printed there, not even by the interpreter on its way out."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def complain(text: str) -> None:
    """On stderr, if anybody is there."""
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except OSError:
        hush(sys.stderr)


def open_closed() -> None:
    """Where the caller closed stdin, stdout or stderr, what is said goes nowhere.

    Their numbers are taken at once: else a state or a file in the making would get them, and what is said with it.
    """
    for number in range(3):
        with suppress(OSError):
            os.fstat(number)
            continue
        os.open(os.devnull, os.O_RDWR)  # the lowest free number is this one
    sys.stdin = sys.stdin or os.fdopen(0, encoding="utf-8", closefd=False)
    sys.stdout = sys.stdout or os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", encoding="utf-8", closefd=False)
