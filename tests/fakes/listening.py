"""A server whose connections have a thread each, that sleeps while nobody comes and ends as soon as it is told to."""

from __future__ import annotations

from contextlib import suppress
import socket
from socketserver import BaseRequestHandler, TCPServer, ThreadingMixIn
import threading


class Listening(ThreadingMixIn, TCPServer):
    """`begin` serves in a thread, `end` ends that at once; `serve_forever` would look every while if it is over."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 256

    def __init__(self, port: int, connection: type[BaseRequestHandler]) -> None:
        super().__init__(("127.0.0.1", port), connection)

    def begin(self) -> None:
        """From now on whoever comes is served."""
        threading.Thread(target=self._accept, daemon=True).start()

    def end(self) -> None:
        """Nobody comes any more. May be told twice."""
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.server_close()

    def _accept(self) -> None:
        while True:
            try:
                request, address = self.socket.accept()
            except OSError:
                return
            self.process_request(request, address)
