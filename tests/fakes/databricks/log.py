"""Every request that came, and what was made of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
import re
import threading
import time


@dataclass(slots=True)
class Seen:
    """One request. `at_s`: when it came, by the monotonic clock; `status` 0: none was sent; `fault`: one struck."""

    method: str
    path: str
    query: dict[str, str]
    authorized: bool
    at_s: float
    status: int = 0
    took_s: float = 0.0
    bytes_in: int = 0
    bytes_out: int = 0
    fault: bool = False

    @property
    def op(self) -> str:
        """Method and path without what it is about: `PUT /api/2.0/fs/files`."""
        cut = re.match(
            r"(/api/2\.0/fs/(?:files|directories)|/presigned|/api/2\.0/workspace-files/import-file)/", self.path
        )
        return f"{self.method} {cut[1] if cut else self.path}"


class Log:
    """The requests, in the order in which they came."""

    def __init__(self) -> None:
        self.all: list[Seen] = []
        self.under_way = 0
        self.most_under_way = 0
        self._lock = threading.Lock()

    def __iter__(self) -> Iterator[Seen]:
        return iter(list(self.all))

    def __len__(self) -> int:
        return len(self.all)

    def began(self, seen: Seen) -> None:
        """A request has come."""
        with self._lock:
            self.all.append(seen)
            self.under_way += 1
            self.most_under_way = max(self.most_under_way, self.under_way)

    def ended(self, seen: Seen, status: int, bytes_out: int) -> None:
        """It was answered, or its connection cut."""
        seen.status, seen.bytes_out, seen.took_s = status, bytes_out, time.monotonic() - seen.at_s
        with self._lock:
            self.under_way -= 1

    def of(self, method: str = ".*", path: str = ".*") -> list[Seen]:
        """The requests whose method and path match these patterns, the path from its start."""
        return [each for each in self if re.fullmatch(method, each.method) and re.match(path, each.path)]

    def counts(self) -> Counter[str]:
        """How many requests of each operation there were."""
        return Counter(each.op for each in self)

    def clear(self) -> None:
        """Starts anew; what is under way stays counted."""
        with self._lock:
            self.all = []
            self.most_under_way = self.under_way
