"""What does this service really compare? Documentation and headers do not say; a few small objects do."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from reconcile.core.entry import ABSENT, Version
from reconcile.core.errors import ChangedError, DeniedError, NotFoundError, RefusedError, StoreError
from reconcile.ports import Condition
from reconcile.stores.objects import s3_control as control
from reconcile.stores.objects.s3_wire import Wire, bare, condition

_WRONG = Version("0" * 32)
"""The ETag of nothing anybody writes."""


class Probe:
    """Small objects below `prefix`, made, asked and taken away again."""

    def __init__(self, wire: Wire, prefix: str) -> None:
        self._wire = wire
        self._one, self._two = f"{prefix}-1", f"{prefix}-2"

    def run(self) -> dict[str, str]:
        """How writes, copies, deletes and bulk deletes honour what is expected, and what keeps old bytes."""
        try:
            version = self._put(self._one, ABSENT)
            self._put(self._two, ABSENT)
            return {
                "write": _best(self._refuses(self._put_one, ABSENT), self._refuses(self._put_one, _WRONG)),
                "copy": self._copy(version),
                "bulk": "match" if self._refuses(self._delete_bulk, _WRONG) else "none",
                "delete": "match" if self._refuses(self._delete_two, _WRONG) else "stat",
                "keeps": "versions" if self._keeps_versions() else "copy",
            }
        finally:
            for key in (self._one, self._two):
                with suppress(StoreError):  # what is left of a probe is ours, and seen by `gc`
                    self._wire.call("DELETE", key, op="probe")

    def _copy(self, version: Version) -> Condition:
        """Where a copy does not look at its source, both ends are looked at just before, and what came out after."""
        if not self._refuses(self._copy_from, _WRONG):
            return "stat"

        def into(expect: Version) -> None:
            what = control.source(self._wire, self._one, version)
            control.copy(self._wire, self._two, what=what, into=condition(expect))

        return _best(self._refuses(into, ABSENT), self._refuses(into, _WRONG))

    def _copy_from(self, version: Version) -> None:
        control.copy(self._wire, self._two, what=control.source(self._wire, self._one, version), into={})

    def _keeps_versions(self) -> bool:
        """Who may not ask whether the bucket keeps versions may not use them; nor can who is not understood."""
        try:
            return control.keeps_versions(self._wire)
        except StoreError as error:
            if error.permanent:
                return False
            raise

    def _put(self, key: str, expect: Version) -> Version:
        headers = condition(expect)
        reply = self._wire.call("PUT", key, op="probe", headers=headers, data=b"probe")
        return Version(bare(reply.headers.get("etag")))

    def _put_one(self, expect: Version) -> None:
        self._put(self._one, expect)

    def _delete_two(self, expect: Version) -> None:
        with suppress(NotFoundError):
            control.delete(self._wire, self._two, expect)

    def _delete_bulk(self, expect: Version) -> None:
        [error] = control.delete_bulk(self._wire, [(self._two, expect)])
        if error:
            raise error
        self._put(self._two, ABSENT)

    def _refuses(self, act: Callable[[Version], object], expect: Version) -> bool:
        """Whether the service refuses what does not hold; one that does not know the condition refuses nothing.

        What these credentials may not do at all, such as a delete, is no reason not to do the rest.
        """
        try:
            act(expect)
        except ChangedError:
            return True
        except (DeniedError, RefusedError):
            return False
        return False


def _best(creates: bool, matches: bool) -> Condition:  # noqa: FBT001 - two answers of one probe
    return "match" if creates and matches else "create" if creates else "stat"
