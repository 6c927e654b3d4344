"""A data file as plain bytes that DuckDB can read in place, text as UTF-8: what is not, is made so in a temporary file.

Compressed bytes are unpacked here and not by DuckDB, which believes a cut zstd file and does not look at gzip's
checksums. Other encodings are decoded here, so that a bad byte is named by its offset. The temporary file has no name
and takes as much room in the system's temporary directory as the plain bytes do.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator
import gzip
from pathlib import Path
import re
import sys
import tempfile
from typing import IO, Any, BinaryIO, Final, Literal, cast
import zlib

from reconcile.stores.data.file import Compression, DataError, Grown
from reconcile.stores.disk import translated

LINUX: Final[bool] = sys.platform.startswith("linux")
CHUNK_BYTES: Final = 1 << 20
HEAD_BYTES: Final = 1 << 20
MAGIC: Final[dict[bytes, Compression]] = {b"\x1f\x8b": "gz", b"\x28\xb5\x2f\xfd": "zst"}
PACKED: Final = re.compile(r"(?i)\.(gz|zst)$")
"""What a name says of its bytes: without it an interrupted download would be a table with no rows."""
MARKS: Final = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32-le",  # begins as that of UTF-16 does, so it is looked for first
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}

EMPTY_LINE: Final = re.compile(b"\n\r?\n")


class Plain:
    """Plain bytes, open for reading. `path` is how DuckDB opens the same file; `encoding` is what the text was in.

    `first_line` is the line of the original file that the first line here is.
    """

    def __init__(self, file: IO[bytes], path: str = "") -> None:
        self.file = file
        self.path = path if path and not LINUX else f"/proc/self/fd/{file.fileno()}"
        self.compression: Compression = ""
        self.encoding = ""
        self.first_line = 1

    def head(self) -> bytes:
        """Its first bytes, for who wants to learn from them."""
        self.file.seek(0)
        return self.file.read(HEAD_BYTES)

    def ends_with(self, end: bytes) -> bool:
        """Whether that is the last of it, but for white space (of which there may be as much as is read at a time)."""
        size_bytes = self.file.seek(0, 2)
        self.file.seek(max(0, size_bytes - CHUNK_BYTES))
        return self.file.read().rstrip().endswith(end)

    def has_empty_lines(self) -> bool:
        """Whether there may be empty lines (some may be parts of quoted cells)."""
        self.file.seek(0)
        before = b""
        while chunk := self.file.read(CHUNK_BYTES):
            if EMPTY_LINE.search(before + chunk):
                return True
            before = chunk[-2:]
        return False

    def close(self) -> None:
        """Closes the file, which is the end of a temporary one."""
        self.file.close()


def open_plain(path: str, name: str, *, encoding: str = "", grown: Grown | None = None) -> Plain:
    """The plain bytes of the file at `path`, decoded if an `encoding` is given; `auto` looks at marks and zero bytes.

    Raises `DataError` if they cannot be unpacked or decoded, and an error of the store if the file cannot be read.
    """
    with translated("read", name):
        file = Path(path).open("rb")  # noqa: SIM115 - given on in what is returned, or closed below
        plain = Plain(file, path)
        try:
            return _made_plain(plain, name, encoding, grown)
        except BaseException:
            plain.close()
            raise


def temporary() -> Plain:
    """An empty file that goes when it is closed; without a name where it can be opened without one."""
    if LINUX:
        return Plain(cast("IO[bytes]", tempfile.TemporaryFile()))
    named = tempfile.NamedTemporaryFile()  # noqa: SIM115 - given on
    return Plain(cast("IO[bytes]", named), named.name)


def text_encoding(declared: str) -> str:
    """Python's name of a declared encoding; `DataError` for one it does not have."""
    try:
        found = codecs.lookup(declared)
        "".encode(declared)
    except LookupError as error:
        raise DataError(
            f"table.csv.encoding: `{declared}` is no encoding of text",
            op="read",
            hint="utf-8, utf-16, latin-1, cp1252 …",
        ) from error
    return found.name


def _made_plain(plain: Plain, name: str, encoding: str, grown: Grown | None) -> Plain:
    start = plain.head()
    plain.compression = next((kind for magic, kind in MAGIC.items() if start.startswith(magic)), "")
    if plain.compression:
        start = _first(_unpacked(plain, name))
    elif packed := PACKED.search(name):
        hint = f"is it cut short? if it was unpacked on its way, name it without {packed[0]}"
        raise DataError(f"its name ends in {packed[0]}, its bytes are not packed", op="read", path=name, hint=hint)
    if encoding:
        plain.encoding = _detected(start) if encoding == "auto" else _without_order(text_encoding(encoding), start)
    if not plain.compression and grown is None and plain.encoding in ("", "utf-8") and _opens_as_it_is(plain.path):
        return plain
    return _copied(plain, name, grown)


def _copied(plain: Plain, name: str, grown: Grown | None) -> Plain:
    """A temporary file with the plain bytes; the original is closed."""
    copy = temporary()
    copy.compression, copy.encoding = plain.compression, plain.encoding
    try:
        if grown is not None:
            copy.first_line = 1 + _newlines(plain.file, grown.start)
        chunks = _unpacked(plain, name, grown)
        for chunk in _decoded(chunks, plain.encoding, name, (grown.start if grown else 0, copy.first_line)):
            copy.file.write(chunk)
        copy.file.flush()
    except BaseException:
        copy.close()
        raise
    plain.close()
    return copy


def _unpacked(plain: Plain, name: str, grown: Grown | None = None) -> Iterator[bytes]:
    """The bytes of the file, or of its grown part, without their compression."""
    plain.file.seek(grown.start if grown else 0)
    left = grown.end - grown.start if grown else sys.maxsize
    stream = _unpacker(plain)
    try:
        while left > 0 and (chunk := stream.read(min(CHUNK_BYTES, left))):
            left -= len(chunk)
            yield bytes(chunk)
    except (EOFError, gzip.BadGzipFile, zlib.error, OSError) as error:
        if not plain.compression:
            raise
        raise DataError(
            f"the {plain.compression} data cannot be unpacked: {error}", op="read", path=name, hint="is it cut short?"
        ) from error


def _unpacker(plain: Plain) -> Any:
    if plain.compression == "gz":
        return gzip.GzipFile(fileobj=cast("BinaryIO", plain.file))
    if plain.compression == "zst":
        import pyarrow as pa  # noqa: PLC0415 - heavy

        return pa.CompressedInputStream(pa.OSFile(plain.path), "zstd")
    return plain.file


def _first(chunks: Iterator[bytes]) -> bytes:
    return next(chunks, b"")[:HEAD_BYTES]


def _detected(start: bytes) -> str:
    """UTF-8 unless a mark, or the zero bytes of ASCII in two bytes, says otherwise."""
    for mark, encoding in MARKS.items():
        if start.startswith(mark):
            return encoding
    sample = start[: 1 << 12]
    even, odd = sample[::2].count(0), sample[1::2].count(0)
    if max(even, odd) * 3 > len(sample) // 2 and min(even, odd) * 20 < max(even, odd):
        return "utf-16-le" if odd > even else "utf-16-be"
    return "utf-8"


def _without_order(encoding: str, start: bytes) -> str:
    """A declared encoding whose byte order the mark tells (UTF-16 and UTF-32, little-endian without one)."""
    if encoding == "utf-8-sig":
        return "utf-8"
    if encoding not in ("utf-16", "utf-32"):
        return encoding
    marked = (found for mark, found in MARKS.items() if start.startswith(mark) and found.startswith(encoding))
    return next(marked, f"{encoding}-le")


def _decoded(chunks: Iterator[bytes], encoding: str, name: str, at: tuple[int, int]) -> Iterator[bytes]:
    """The same text in UTF-8, without a byte order mark. `at`: the offset and the line of the first byte."""
    if encoding in ("", "utf-8"):
        yield from chunks
        return
    decoder = codecs.getincrementaldecoder(encoding)()
    offset, line = at
    for chunk, last in _with_end(chunks):
        pending = len(decoder.getstate()[0])
        try:
            text = decoder.decode(chunk, last)
        except UnicodeDecodeError as error:
            where = offset - pending + error.start
            line += error.object[: error.start].decode(encoding, "replace").count("\n")
            raise undecodable(f"{name}:{line}", error.object[error.start], where, encoding) from error
        if offset == at[0] == 0:
            text = text.removeprefix("\ufeff")
        offset += len(chunk)
        line += text.count("\n")
        yield text.encode("utf-8", "surrogatepass")


def undecodable(path: str, byte: int, offset: int, encoding: str) -> DataError:
    """A byte that its encoding does not have."""
    hint = (
        "declare table.csv.encoding: latin-1, cp1252 … if it is one of them"
        if encoding == "utf-8"
        else "is it another?"
    )
    return DataError(f"byte 0x{byte:02x} at offset {offset} is not {encoding}", op="read", path=path, hint=hint)


def _with_end(chunks: Iterator[bytes]) -> Iterator[tuple[bytes, Literal[True, False]]]:
    for chunk in chunks:
        yield chunk, False
    yield b"", True


def _newlines(file: IO[bytes], end: int) -> int:
    file.seek(0)
    count, left = 0, end
    while left > 0 and (chunk := file.read(min(CHUNK_BYTES, left))):
        count += chunk.count(b"\n")
        left -= len(chunk)
    return count


def _opens_as_it_is(path: str) -> bool:
    """Whether DuckDB takes the path for one file's name and not for a pattern."""
    return Path(path).is_absolute() and not any(mark in path for mark in "*?[")
