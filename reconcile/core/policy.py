"""What may be done: the policies of one mapping, each with its safe default."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct


class Limit(Struct, frozen=True):
    """At most `count` paths, or at most `share` of them (0 to 1); both None: off."""

    count: int | None = None
    share: float | None = None

    def exceeded(self, changed: int, of: int) -> bool:
        """Whether `changed` of `of` is more than the limit."""
        if self.count is not None:
            return changed > self.count
        return self.share is not None and changed > self.share * of


class GuardLimits(Struct, frozen=True):
    """When a mapping is refused as a whole; below `min_files` records the shares do not count."""

    max_delete: Limit = Limit(share=0.5)
    max_update: Limit = Limit()
    min_files: int = 10


class Policy(Struct, frozen=True):
    """The policies of one mapping, as CONTRACT.md names them."""

    delete: bool = True
    unmanaged: Literal["keep", "delete"] = "keep"
    drift: Literal["restore", "keep", "fail"] = "restore"
    conflict: Literal["fail", "source", "target", "newest", "both"] = "fail"
    on_failure: Literal["continue", "stop", "rollback"] = "continue"
    keep: Literal["auto", "always", "never"] = "auto"
    guard: GuardLimits = GuardLimits()
