"""How bytes get into DBFS: a small file in one call, any other block by block through a handle."""

from __future__ import annotations

from base64 import b64encode
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from reconcile.core.errors import BusyError, DamagedError, NotFoundError, StoreError
from reconcile.ports import Body
from reconcile.stores.bodies import whole
from reconcile.stores.databricks.client import Reply
from reconcile.stores.sealed import sealed

if TYPE_CHECKING:
    from reconcile.stores.databricks.dbfs import DbfsStore

BLOCK_BYTES: Final = 1_000_000
"""A block has to stay below a megabyte; whether that is a binary one is not said."""


def send_block(store: DbfsStore, temp: str, body: Body) -> Reply:
    """Writes a small body under a name that is ours alone."""
    data = b64encode(whole(body, "write", temp).data).decode()
    return store.post("put", temp, op="write", contents=data, overwrite=True)


def send_stream(store: DbfsStore, temp: str, body: Body) -> Reply:
    """Writes a body block by block; the last one goes only after the body has ended well.

    A block whose answer was lost may be there twice: nothing is tried again but the whole. What is there in the end is
    as long as what was sent.
    """
    begun = store.post("create", temp, op="write", overwrite=True)
    handle = begun.object("write", temp).get("handle")
    try:
        for block in sealed(body, temp, BLOCK_BYTES):
            store.call("add-block", "write", temp, handle=handle, data=b64encode(block).decode())
    except BaseException:
        with suppress(StoreError):
            _close(store, temp, handle)
        raise
    _close(store, temp, handle)
    there = store.find(temp, "write")
    if there is None or there.size != body.size_bytes:
        kept = "nothing" if there is None else f"{there.size:,} bytes"
        raise DamagedError(f"keeps {kept} of {body.size_bytes:,} bytes sent", op="write", path=temp)
    return begun


def _close(store: DbfsStore, temp: str, handle: Any) -> None:
    """A handle that is gone when it is to be closed again was closed; whether all has come, the size tells."""
    lost = False

    def once() -> None:
        nonlocal lost
        try:
            store.call("close", "write", temp, handle=handle)
        except BusyError:
            lost = True
            raise
        except NotFoundError:
            if not lost:
                raise

    store.ask(once)
