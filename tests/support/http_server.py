"""HTTP server: serves a stream on this machine until a test ends."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class StreamServer(ThreadingHTTPServer):
    """A server whose handlers stop when `stopping` is set."""

    def __init__(self, port: int, handler: type[BaseHTTPRequestHandler]) -> None:
        """Bind to a port of 127.0.0.1; 0 for a free one."""
        super().__init__(("127.0.0.1", port), handler)
        self.stopping = threading.Event()


class QuietHandler(BaseHTTPRequestHandler):
    """A handler that logs nothing."""

    def log_message(self, format: str, *args: Any) -> None:
        """Do nothing, so that the output of the tests stays readable."""


@contextmanager
def serving(server: StreamServer) -> Iterator[int]:
    """Answer requests in a thread; yield the port."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.stopping.set()
        server.shutdown()
        server.server_close()
        thread.join()
