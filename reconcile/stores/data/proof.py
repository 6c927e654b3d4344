"""Proves that the rows of a CSV file are all its records without reading it once more as CSV: by its delimiters.

Every delimiter of a file stands between two cells of a record, or inside of one. A record with too few cells ends a
read by itself; so where there are just as many delimiters in the bytes as in so many rows, there is no record with too
many of them, and none was left out. The bytes are counted beside whoever reads the rows.
"""

from __future__ import annotations

from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Final

from reconcile.stores.data.file import scalar

if TYPE_CHECKING:
    import pyarrow as pa

CHUNK_BYTES: Final = 1 << 20


class Proof:
    """Told of all batches as they come, text with all that is in it. `outside` are the delimiters of the header."""

    def __init__(self, path: str, delimiter: bytes, width: int, outside: int) -> None:
        self._path = path
        self._delimiter = delimiter
        self._between = width - 1
        self._expected = outside
        self._found = 0
        self._error: OSError | None = None
        self._stopped = False
        self._beside: Thread | None = None

    def add(self, batch: pa.RecordBatch) -> None:
        """The next rows. Delimiters inside of what is no text are not seen, and spoil the proof."""
        from pyarrow import types  # noqa: PLC0415 - heavy

        if self._beside is None:
            self._beside = Thread(target=self._count, daemon=True)
            self._beside.start()
        texts = (column for column in batch.columns if types.is_string(column.type))
        inside = sum(_inside(text, self._delimiter) for text in texts)
        self._expected += batch.num_rows * self._between + inside

    def holds(self) -> bool:
        """Whether the rows are all records, after the last of them."""
        if self._beside is not None:
            self._beside.join()
        return self._beside is not None and self._error is None and self._found == self._expected

    def close(self) -> None:
        """Nobody asks any more."""
        self._stopped = True
        if self._beside is not None:
            self._beside.join()

    def _count(self) -> None:
        import pyarrow as pa  # noqa: PLC0415 - heavy
        from pyarrow import compute  # noqa: PLC0415

        delimiter = scalar(pa.uint8(), self._delimiter)
        try:
            with Path(self._path).open("rb") as file:
                while not self._stopped and (chunk := file.read(CHUNK_BYTES)):
                    array = pa.Array.from_buffers(pa.uint8(), len(chunk), [None, pa.py_buffer(chunk)])
                    self._found += compute.equal(array, delimiter).true_count
        except OSError as error:
            self._error = error


def _inside(text: pa.Array, delimiter: bytes) -> int:
    """How many there are in all cells, which lie one after the other."""
    data = text.buffers()[2]
    return data.to_pybytes().count(delimiter) if data is not None else 0
