"""A wire to a server that is cut at a chosen moment: before a request gets there, or before its answer comes back."""

from __future__ import annotations

from contextlib import suppress
import socket
from threading import Lock, Thread
from types import TracebackType
from typing import Self


class Wire:
    """Leads to a port of this machine. A connection that was cut is lost; new ones work."""

    def __init__(self, port: int) -> None:
        self.seen = 0
        self.was_cut = False
        self._at, self._marked, self._answered = -1, b"", False
        self._there = ("127.0.0.1", port)
        self._lock = Lock()
        self._ears = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._ears.getsockname()[1]

    def cut(self, at: int, *, marked: bytes = b"", answered: bool = False) -> None:
        """From now on cuts at the `at`-th piece a client sends that holds `marked`; -1 only counts, in `seen`.

        `answered`: the server still gets the piece and does what it says, but its answer is thrown away.
        """
        with self._lock:
            self.seen, self.was_cut = 0, False
            self._at, self._marked, self._answered = at, marked, answered

    def __enter__(self) -> Self:
        Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._ears.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._ears.accept()
                server = socket.create_connection(self._there)
                Thread(target=self._forth, args=(client, server), daemon=True).start()
                Thread(target=self._back, args=(client, server), daemon=True).start()

    def _forth(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError), client, server:
            while piece := client.recv(1 << 16):
                if self._is_the_one(piece):
                    client.shutdown(socket.SHUT_RDWR)  # nothing of the answer gets through
                    if self._answered:
                        server.sendall(piece)
                        server.shutdown(socket.SHUT_WR)
                        while server.recv(1 << 16):  # it has done all it was told when it hangs up
                            pass
                    server.shutdown(socket.SHUT_RDWR)  # closing alone would wait for who reads from it
                    return
                server.sendall(piece)

    def _back(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while piece := server.recv(1 << 16):
                client.sendall(piece)

    def _is_the_one(self, piece: bytes) -> bool:
        if self._marked not in piece:
            return False
        with self._lock:
            self.seen += 1
            is_it = self.seen == self._at + 1
            self.was_cut = self.was_cut or is_it
            return is_it
