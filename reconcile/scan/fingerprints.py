"""The join of a listing with the digests this machine already knows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from reconcile.core.entry import Digest, Entry, Kind, Problem


def annotate(entries: Iterable[Entry | Problem], known: Iterator[tuple[str, str, bytes]]) -> Iterator[Entry | Problem]:
    """The same stream, with the digest of every file whose version is the remembered one.

    `entries` in order of their keys, `known` as `Fingerprints.cursor()` gives it: (key, version, digest) in order.
    """
    heard = next(known, None)
    for item in entries:
        if isinstance(item, Entry) and item.kind is Kind.FILE:
            key = item.key
            while heard is not None and heard[0] < key:
                heard = next(known, None)
            if heard is not None and heard[0] == key and heard[1] == item.version:
                yield Entry(key, item.size, item.version, item.mtime_ns, Digest(heard[2]), Kind.FILE, item.executable)
                continue
        yield item
