"""Faulty servers: answer every request for a picture or a sound wrongly, on this machine."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus

from http_server import QuietHandler, StreamServer, serving

FAULTS = ("401", "403", "404", "500", "stall", "junk", "redirect", "drop")


class _FaultyHandler(QuietHandler):
    server: StreamServer

    def do_GET(self) -> None:
        """Answer with the fault that the path names."""
        fault = self.path[1:].partition("?")[0]
        if fault.isdecimal():
            self.send_error(HTTPStatus(int(fault)))
        elif fault == "redirect":
            self.send_response(302)
            self.send_header("Location", self.path.replace("redirect", "404"))
            self.end_headers()
        elif fault != "drop":
            self.send_response(200)
            self.send_header("Content-Type", "audio/wav")
            self.end_headers()
            if fault == "junk":
                self.wfile.write(os.urandom(200_000))
            else:
                self.server.stopping.wait()


@contextmanager
def faulty_server() -> Iterator[int]:
    """Serve /FAULT for each of FAULTS by HTTP on 127.0.0.1; yield the port."""
    with serving(StreamServer(0, _FaultyHandler)) as port:
        yield port
