"""Pieces: a file to read from, made of ranges of another file and of bytes in memory."""

import io
import re
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import BinaryIO

Piece = bytes | range
"""Bytes, or the positions of bytes in a file."""

SCAN_BYTES = 1 << 20  # how much of a file a `Scan` holds


class Pieces(io.RawIOBase):
    """A read-only file of pieces; it does not close the file that it reads.

    Attributes:
        error: The error that ended the last read early: C code that reads cannot pass it on.
    """

    def __init__(self, stream: BinaryIO, pieces: Sequence[Piece]) -> None:
        """Join pieces; ranges are positions in the stream."""
        self._stream, self._pieces = stream, pieces
        self._starts = list(accumulate((len(piece) for piece in pieces), initial=0))
        self._place = 0
        self.error: OSError | None = None

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the position."""
        return self._place

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move the position as `io.IOBase.seek` does."""
        base = (0, self._place, self._starts[-1])[whence]
        self._place = max(0, base + offset)
        return self._place

    def readinto(self, buffer: "memoryview | bytearray") -> int:  # type: ignore[override]
        """Read up to the end of a piece; return the number of bytes, 0 at the end of the file."""
        index = bisect_right(self._starts, self._place) - 1
        if index >= len(self._pieces):
            return 0
        piece, inside = self._pieces[index], self._place - self._starts[index]
        count = min(len(buffer), len(piece) - inside)
        try:
            data = self._bytes(piece, inside, count)
        except OSError as error:
            self.error = error
            return 0
        buffer[: len(data)] = data
        self._place += len(data)
        return len(data)

    def _bytes(self, piece: Piece, start: int, count: int) -> bytes:
        if isinstance(piece, bytes):
            return piece[start : start + count]
        self._stream.seek(piece.start + start)
        return self._stream.read(count)


class Scan:
    """A window on a file, to look at many places of it in rising order."""

    def __init__(self, stream: BinaryIO) -> None:
        """Prepare to look at a file."""
        self._stream = stream
        self._from, self._data = 0, b""

    def at(self, place: int, count: int) -> bytes:
        """Return the bytes from a place on: `count`, or fewer at the end of the file."""
        first = place - self._from
        if first < 0 or first + count > len(self._data):
            self._stream.seek(place)
            self._from, first = place, 0
            self._data = self._stream.read(max(count, SCAN_BYTES))
        return self._data[first : first + count]

    def find(self, pattern: re.Pattern[bytes], place: int, end: int) -> int:
        """Return where a pattern of at most 64 bytes next begins; -1 when not before `end`."""
        while place < end:
            data = self.at(place, min(SCAN_BYTES, end - place))
            found = pattern.search(data)
            if found:
                return place + found.start()
            place += max(1, len(data) - 63) if len(data) > 63 else end
        return -1
