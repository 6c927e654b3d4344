"""Reads one data file: finds its shape, then streams its rows."""

from __future__ import annotations

from reconcile.stores.data_file import DataFile, Grown, Reading, Shape


def read_data(
    path: str, name: str, reading: Reading, *, pinned: Shape | None = None, grown: Grown | None = None
) -> DataFile:
    """Opens the data file `path` (which may be `/proc/self/fd/N`); `name` tells its format and stands in messages.

    Without `pinned` the whole file is read once to find types that lose nothing. With it the shape is taken as it is,
    and `ShapeError` (here or in the stream) says that the file no longer has it; declared types that differ from the
    pinned ones are such a case. `grown`, only with `pinned`, reads the appended rows alone.
    """
    raise NotImplementedError
