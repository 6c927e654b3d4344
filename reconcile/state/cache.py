"""The disposable memory of this machine: digests of files already read, and other things that only cost time to lose.

No error of the cache is ever an error of the program: a damaged file is removed and begun again, one that cannot be
written (a full disk, a read-only home) is done without. A value whose check fails was never there.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import closing, suppress
import os
from pathlib import Path
import re
import sqlite3
import threading
from typing import Any, Final
import zlib

from reconcile.core.entry import Digest, Version
from reconcile.ports import io_step
from reconcile.state.connection import connect
from reconcile.state.files import beside, make_directory, make_private

_BATCH: Final = 5_000
_FEW: Final = 1_000
"""So many fingerprints are read at once; a reading of more has a connection of its own, so that others may write."""

_BUSY_S: Final = 1.0
_VERSION: Final = 2
_SCHEMA: Final = f"""
PRAGMA journal_mode = WAL;
CREATE TABLE IF NOT EXISTS fingerprints (
    root TEXT NOT NULL, key TEXT NOT NULL, version TEXT NOT NULL, digest BLOB NOT NULL, crc INTEGER NOT NULL,
    PRIMARY KEY (root, key)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS things (name TEXT PRIMARY KEY, value BLOB NOT NULL, crc INTEGER NOT NULL) WITHOUT ROWID;
PRAGMA user_version = {_VERSION};
"""
_EVERY: Final = "SELECT key, version, digest, crc FROM fingerprints WHERE root = ? ORDER BY key LIMIT ?"


def cache_directory() -> Path:
    """Where caches live: `RECONCILE_CACHE_DIR`, else `reconcile` in `XDG_CACHE_HOME`, else in `~/.cache`."""
    named = os.environ.get("RECONCILE_CACHE_DIR")
    if named:
        return Path(named)
    home = os.environ.get("XDG_CACHE_HOME")
    try:
        return (Path(home) if home else Path.home() / ".cache") / "reconcile"
    except RuntimeError:  # a container's user without a home: what cannot be made there costs only time
        return Path(os.devnull) / "reconcile"


def open_cache(name: str) -> SqliteCache:
    """The cache `name` (a state's lineage, a scope); always succeeds."""
    return SqliteCache(cache_directory() / (re.sub(r"[^\w.-]", "_", name) + ".db"))


def remove_cache(path: Path) -> None:
    """Removes a cache file with what lies beside it; whoever has it open goes on without."""
    for suffix in ("", "-wal", "-shm"):
        with suppress(OSError):
            beside(path, suffix).unlink()


def _crc(name: str, value: bytes) -> int:
    return zlib.crc32(value, zlib.crc32(name.encode()))


class SqliteCache:
    """`ports.Cache` in one SQLite file, without any promise of durability."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.RLock()
        self._connection = self._open()
        self._roots: dict[str, SqliteFingerprints] = {}

    def fingerprints(self, root: str) -> SqliteFingerprints:
        """The fingerprints of one store root."""
        with self._lock:
            return self._roots.setdefault(root, SqliteFingerprints(self, root))

    def get(self, name: str) -> bytes | None:
        """A remembered value."""
        for value, crc in self.ask("SELECT value, crc FROM things WHERE name = ?", (name,)):
            return value if crc == _crc(name, value) else None
        return None

    def put(self, name: str, value: bytes) -> None:
        """Remembers a value."""
        self.tell("INSERT OR REPLACE INTO things VALUES (?, ?, ?)", [(name, value, _crc(name, value))])

    def prune(self, roots: Collection[str]) -> int:
        """Forgets the fingerprints of all roots but these; returns how many there were."""
        others = [(root,) for (root,) in self.ask("SELECT DISTINCT root FROM fingerprints", ()) if root not in roots]
        count = sum(
            int(n) for one in others for (n,) in self.ask("SELECT count(*) FROM fingerprints WHERE root = ?", one)
        )
        if others:
            self.tell("DELETE FROM fingerprints WHERE root = ?", others)
        return count

    def forgotten(self, before_s: float) -> Iterator[Path]:
        """Caches beside this one that nothing was written to since `before_s` (Unix seconds)."""
        for path in sorted(self._path.parent.glob("*.db")):
            files = [file for suffix in ("", "-wal") if (file := beside(path, suffix)).exists()]
            if path != self._path and all(file.stat().st_mtime < before_s for file in files):
                yield path

    def flush(self) -> None:
        """Writes what is pending; a failure is silent, it costs only time."""
        with self._lock:
            for fingerprints in self._roots.values():
                fingerprints.flush()

    def close(self) -> None:
        """Flushes and closes."""
        with self._lock:
            self.flush()
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def ask(self, sql: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
        """The rows of a small question; none where the cache cannot answer."""
        with self._lock:
            if self._connection is None:
                return []
            try:
                return self._connection.execute(sql, parameters).fetchall()
            except sqlite3.Error as error:
                self._lose(error)
                return []

    def tell(self, sql: str, rows: Sequence[tuple[Any, ...]]) -> None:
        """Writes rows in one transaction, or loses them."""
        with self._lock:
            if self._connection is None:
                return
            try:
                _write(self._connection, sql, rows)
            except sqlite3.Error as error:
                self._lose(error)

    def cursor(self, root: str) -> Iterator[tuple[str, str, bytes]]:
        """All fingerprints of a root by key, as they stood at the first; ends early where the cache fails."""
        few = self.ask(_EVERY, (root, _FEW))
        rows: Iterable[tuple[Any, ...]] = few if len(few) < _FEW else self._every(root)
        return ((key, version, digest) for key, version, digest, crc in rows if crc == _crc(version, digest))

    def _every(self, root: str) -> Iterator[tuple[Any, ...]]:
        """The same bare, on a connection of its own."""
        with suppress(sqlite3.Error), closing(connect(self._path, timeout_s=_BUSY_S)) as connection:
            yield from connection.execute(_EVERY, (root, -1))

    def _open(self) -> sqlite3.Connection | None:
        """A connection; a file that SQLite cannot use is removed once, then the cache is done without."""
        for _ in range(2):
            try:
                make_directory(self._path.parent)
                with suppress(FileExistsError):
                    make_private(self._path)
                return self._connect()
            except sqlite3.DatabaseError as error:
                if not _damaged(error):
                    return None
                self._remove()
            except OSError:
                return None
        return None

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False, timeout=_BUSY_S)
        try:
            connection.execute("PRAGMA synchronous = OFF")
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version != _VERSION:
                connection.executescript(_SCHEMA)
        except BaseException:
            connection.close()
            raise
        return connection

    def _lose(self, error: sqlite3.Error) -> None:
        """After an error: a damaged file is begun again, anything else only loses what was asked."""
        if self._connection is not None and self._connection.in_transaction:
            with suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")
        if _damaged(error) and self._connection is not None:
            self._connection.close()
            self._remove()
            self._connection = self._open()

    def _remove(self) -> None:
        remove_cache(self._path)


class SqliteFingerprints:
    """`ports.Fingerprints` of one root; writes are gathered."""

    def __init__(self, cache: SqliteCache, root: str) -> None:
        self._cache = cache
        self._root = root
        self._lock = threading.Lock()
        self._pending: dict[str, tuple[Version, Digest]] = {}

    def digest(self, key: str, version: Version) -> Digest | None:
        """The digest of `key` at exactly this version, if it is known."""
        with self._lock:
            known = self._pending.get(key)
        if known is None:
            sql = "SELECT version, digest, crc FROM fingerprints WHERE root = ? AND key = ?"
            for kept, digest, crc in self._cache.ask(sql, (self._root, key)):
                known = (kept, digest) if crc == _crc(kept, digest) else None
        return known[1] if known is not None and known[0] == version else None

    def remember(self, key: str, version: Version, digest: Digest) -> None:
        """Keeps a digest of `key` at `version`."""
        with self._lock:
            self._pending[key] = (version, digest)
            full = len(self._pending) >= _BATCH
        if full:
            self.flush()

    def cursor(self) -> Iterator[tuple[str, str, bytes]]:
        """All of it as (key, version, digest), sorted by key."""
        self.flush()
        return self._cache.cursor(self._root)

    def flush(self) -> None:
        """Writes what was gathered."""
        with self._lock:
            pending, self._pending = self._pending, {}
        rows = [(self._root, key, version, digest, _crc(version, digest)) for key, (version, digest) in pending.items()]
        if rows:
            self._cache.tell("INSERT OR REPLACE INTO fingerprints VALUES (?, ?, ?, ?, ?)", rows)


@io_step("cache.write")
def _write(connection: sqlite3.Connection, sql: str, rows: Sequence[tuple[Any, ...]]) -> None:
    connection.execute("BEGIN IMMEDIATE")
    connection.executemany(sql, rows)
    connection.execute("COMMIT")


def _damaged(error: sqlite3.Error) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
