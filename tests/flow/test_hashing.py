"""The digest of what a target holds is read once, and no further than its size."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from io import BytesIO
from itertools import repeat

import pytest

from reconcile.core.entry import ABSENT, Version
from reconcile.core.errors import UnstableError
from reconcile.flow.hashing import digest_of
from reconcile.ports import Body
from reconcile.stores.memory import MemoryStore
from reconcile.stores.wrapper import Wrapper


def test_what_is_there_is_read_once() -> None:
    store = MemoryStore()
    entry = store.write("a", Body(size_bytes=3, open=lambda: BytesIO(b"abc")), expect=ABSENT)
    assert digest_of(store, entry) == sha256(b"abc").digest()


@pytest.mark.hazard("S16")
def test_a_content_that_does_not_end_is_not_read_to_its_end() -> None:
    class Endless(Wrapper):
        def read(
            self, key: str, *, version: Version | None = None, span: tuple[int, int] | None = None
        ) -> Iterator[bytes]:
            return repeat(bytes(1 << 20))

    store = MemoryStore()
    entry = store.write("a", Body(size_bytes=3, open=lambda: BytesIO(b"abc")), expect=ABSENT)
    with pytest.raises(UnstableError, match="more than its 3 bytes"):
        digest_of(Endless(store), entry)
