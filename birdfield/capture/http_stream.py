"""HTTP stream: a response that is read as it arrives, by lines, lengths and marks."""

import ssl
import urllib.request
from typing import Protocol
from urllib.parse import unquote, urlsplit, urlunsplit

from birdfield.capture.source import READ_TIMEOUT_S

CHUNK_BYTES = 65_536


class Body(Protocol):
    """The methods of an HTTP response that are used."""

    def read1(self, size: int) -> bytes:
        """Read bytes that have arrived, at least one before the end."""

    def close(self) -> None:
        """Close the connection."""


class HttpStream:
    """The body of a response.

    Attributes:
        boundary: The text between its parts, maybe empty; None where it has no parts.
    """

    def __init__(self, body: Body, boundary: str | None = None) -> None:
        """Read a body."""
        self._body, self._data = body, bytearray()
        self.boundary = boundary

    def line(self, limit: int) -> bytes:
        """Read a line, with its end.

        Raises:
            EOFError: When the body ends.
            ValueError: When the line is longer than `limit` bytes.
        """
        return self.until(b"\n", limit) + self.exactly(1)

    def until(self, mark: bytes, limit: int) -> bytes:
        """Read up to a mark, which comes next; raises as `line` does."""
        searched = 0
        while (place := self._data.find(mark, max(0, searched - len(mark)))) < 0:
            if len(self._data) > limit:
                raise ValueError(f"no end within {limit} bytes")
            searched = len(self._data)
            self._fill()
        return self._take(place)

    def exactly(self, count: int) -> bytes:
        """Read a number of bytes; raises EOFError when the body ends before."""
        while len(self._data) < count:
            self._fill()
        return self._take(count)

    def starts_with(self, mark: bytes) -> bool:
        """Return whether the rest of the body begins with some bytes, without reading them."""
        while len(self._data) < len(mark):
            self._fill()
        return self._data.startswith(mark)

    def close(self) -> None:
        """Close the connection."""
        self._body.close()

    def _fill(self) -> None:
        data = self._body.read1(CHUNK_BYTES)
        if not data:
            raise EOFError
        self._data += data

    def _take(self, count: int) -> bytes:
        taken = bytes(self._data[:count])
        del self._data[:count]
        return taken


def open_http(url: str) -> HttpStream:
    """Send a request, with the user's name and password if the URL has them.

    The certificate of a camera is not checked, as FFmpeg does not: cameras sign their own.

    Raises:
        OSError: When the server cannot be reached, or answers with an error.
        ValueError: When the URL is malformed.
        http.client.HTTPException: When the answer is not HTTP.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    plain = urlunsplit(parts._replace(netloc=f"{host}:{parts.port}" if parts.port else host))
    known = urllib.request.HTTPPasswordMgrWithDefaultRealm()
    known.add_password(None, plain, unquote(parts.username or ""), unquote(parts.password or ""))
    unchecked = ssl.create_default_context()
    unchecked.check_hostname, unchecked.verify_mode = False, ssl.CERT_NONE
    opener = urllib.request.build_opener(
        urllib.request.HTTPBasicAuthHandler(known),
        urllib.request.HTTPDigestAuthHandler(known),
        urllib.request.HTTPSHandler(context=unchecked),
    )
    response = opener.open(plain, timeout=READ_TIMEOUT_S)
    head = response.headers
    has_parts = head.get_content_maintype() == "multipart"
    return HttpStream(response, (head.get_boundary() or "") if has_parts else None)
