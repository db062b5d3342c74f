"""MJPEG stream: a network camera that sends JPEG pictures by HTTP, of which some are decoded.

FFmpeg decodes each picture at its full size, which takes gigabytes at 16K. This reader keeps the
newest picture as it was sent, and decodes it when it is looked at, reduced where it is large.
"""

import http.client

from birdfield.capture.http_stream import HttpStream, open_http
from birdfield.errors import InputError
from birdfield.signals.boxes import Box
from birdfield.signals.camera_frame import decode_camera_jpeg
from birdfield.signals.image import Frame

MAX_JPEG_BYTES = 32_000_000
MAX_LINE_BYTES, MAX_HEAD_LINES = 4096, 64  # of the head of a picture
JPEG_START, JPEG_END = b"\xff\xd8", b"\xff\xd9"
ENDS = (OSError, ValueError, EOFError, http.client.HTTPException)  # how a connection ends


class MjpegStream:
    """JPEG pictures from a connection, with the methods of OpenCV's VideoCapture that are used.

    Attributes:
        divisor: How many of the camera's pixels are one of the last decoded frame's, along a side.
    """

    def __init__(self, stream: HttpStream | None, box: Box | None = None) -> None:
        """Read pictures.

        Args:
            stream: The connection; None where there is none.
            box: The part of each picture that is used, in its pixels.
        """
        self._stream, self._box = stream, box
        self._jpeg = b""
        self.divisor = 1

    def isOpened(self) -> bool:  # noqa: N802
        """Return whether there is a connection."""
        return self._stream is not None

    def grab(self) -> bool:
        """Wait for the next picture; return False when the connection has ended."""
        if self._stream is None:
            return False
        try:
            self._jpeg = next_jpeg(self._stream)
        except ENDS:
            return False
        return True

    def retrieve(self) -> tuple[bool, Frame | None]:
        """Decode the grabbed picture; return whether that was possible, and the frame."""
        try:
            frame, self.divisor = decode_camera_jpeg(self._jpeg, self._box)
        except InputError:
            return False, None
        return True, frame

    def release(self) -> None:
        """Close the connection."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None


def open_mjpeg(url: str, box: Box | None) -> MjpegStream | None:
    """Open a URL.

    Returns:
        The stream, not open where the server cannot be reached or refuses; None where it sends
        something else than JPEG pictures.
    """
    try:
        stream = open_http(url)
        if stream.boundary is not None or stream.starts_with(JPEG_START):
            return MjpegStream(stream, box)
        stream.close()
    except ENDS:
        return MjpegStream(None)
    return None


def next_jpeg(stream: HttpStream) -> bytes:
    """Read the next JPEG of a stream, past parts of other types.

    Raises:
        EOFError: When the stream ends.
        ValueError: When a head or a picture is too long.
    """
    if stream.boundary is None:
        return stream.until(JPEG_END, MAX_JPEG_BYTES) + stream.exactly(len(JPEG_END))
    # Some cameras write the dashes before a boundary into its name.
    mark = b"\n--" + stream.boundary.strip("-").encode("latin-1", "replace")
    while True:
        length = _read_head(stream)
        data = stream.exactly(length) if length else stream.until(mark, MAX_JPEG_BYTES)
        if data.startswith(JPEG_START):
            return data


def _read_head(stream: HttpStream) -> int:
    """Read the head of a part; return the length that it states, 0 where it states none."""
    length, started = 0, False
    for _ in range(MAX_HEAD_LINES):
        line = stream.line(MAX_LINE_BYTES).strip()
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
        if not line and started:
            if not 0 <= length <= MAX_JPEG_BYTES:
                raise ValueError(f"a picture of {length} bytes")
            return length
        # The blank line after the previous part, and its boundary, are before the head.
        started = started or bool(value) or line.startswith(b"--")
    raise ValueError(f"a head of more than {MAX_HEAD_LINES} lines")
