"""Picture headers: what a photograph's file states of its pixels, before they are decoded."""

import zlib
from dataclasses import dataclass

MAX_SEGMENTS = 100_000  # of a JPEG before its pixels: a limit for a hostile file
JPEG_END = b"\xff\xd9"
PNG_MARK, PNG_END = b"\x89PNG\r\n\x1a\n", b"\0\0\0\0IEND\xaeB`\x82"
# Start-of-frame markers of JPEG; in the second set, a decoder holds coefficients of all pixels.
FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
PROGRESSIVE = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
BYTES_PER_COEFFICIENT = 2
MAX_ZEROS = 2  # with which the pixels of a JPEG may end
RESTART = 0xD0  # the first of eight markers, which follow each other between rows of pixels
ANY_PIXELS = b"\x55" * 65_536


@dataclass(frozen=True)
class PictureHeader:
    """What a file states of its picture.

    Attributes:
        kind: "JPEG", "PNG", "WebP" or "BMP".
        width: In pixels.
        height: In pixels.
        whole: Whether the file contains the end of the picture.
        held_bytes: What a decoder holds beside the pixels.
    """

    kind: str
    width: int
    height: int
    whole: bool = True
    held_bytes: int = 0

    @property
    def pixels(self) -> int:
        """The number of pixels."""
        return self.width * self.height


def read_header(data: bytes) -> PictureHeader | None:
    """Read the header of a picture; return None for another format, or a damaged header."""
    if data[:2] == b"\xff\xd8":
        return _read_jpeg(data)
    if data[:8] == PNG_MARK:
        return _read_png(data)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return _read_webp(data)
    if data[:2] == b"BM" and len(data) >= 26:
        width, height = (
            int.from_bytes(data[place : place + 4], "little", signed=True) for place in (18, 22)
        )
        return PictureHeader("BMP", abs(width), abs(height))
    return None


def _read_jpeg(data: bytes) -> PictureHeader | None:
    """Read the segments before the pixels, of which one may be a thumbnail with its own end.

    The search for the end starts behind them and not at the end of the file: phones append a film.
    """
    place, frame, progressive = 2, b"", False
    for _ in range(MAX_SEGMENTS):
        marker = data[place + 1] if place + 1 < len(data) else 0xD9
        if data[place : place + 1] != b"\xff" or marker == 0xD9:
            return None
        if marker == 0xFF:  # a fill byte before a marker
            place += 1
            continue
        if marker == 0x01 or 0xD0 <= marker <= 0xD8:  # markers without a length
            place += 2
            continue
        content = data[place + 4 : place + 24]
        if marker in FRAMES and len(content) >= 6:
            frame, progressive = content, marker in PROGRESSIVE
        place += 2 + max(2, int.from_bytes(data[place + 2 : place + 4], "big"))
        if marker == 0xDA:  # start of scan
            many_scans = progressive or content[:1] < frame[5:6]
            whole = data.find(JPEG_END, place) >= 0
            return _read_frame(frame, many_scans, whole) if frame else None
    return None


def _read_frame(frame: bytes, many_scans: bool, whole: bool) -> PictureHeader:
    """Read the content of a start-of-frame segment."""
    height, width = (int.from_bytes(frame[place : place + 2], "big") for place in (1, 3))
    factors = [(byte >> 4) * (byte & 15) for byte in frame[7 : 7 + 3 * frame[5] : 3]]
    coefficients = round(width * height * sum(factors) / max([*factors, 1]))
    held_bytes = BYTES_PER_COEFFICIENT * coefficients if many_scans else 0
    return PictureHeader("JPEG", width, height, whole, held_bytes)


def _read_png(data: bytes) -> PictureHeader | None:
    if data[12:16] != b"IHDR" or len(data) < 24:
        return None
    width, height = (int.from_bytes(data[place : place + 4], "big") for place in (16, 20))
    return PictureHeader("PNG", width, height, _png_end(data)[1])


def _png_end(data: bytes) -> tuple[int, bool]:
    """Return the end of the last whole chunk of a PNG, and whether it is the end of the picture."""
    place = len(PNG_MARK)
    while place + 12 <= len(data):
        length = int.from_bytes(data[place : place + 4], "big")
        if data[place + 4 : place + 8] == b"IEND":
            return place, True
        if place + 12 + length > len(data):
            break
        place += 12 + length
    return place, False


def _read_webp(data: bytes) -> PictureHeader | None:
    whole = len(data) >= int.from_bytes(data[4:8], "little") + 8
    form, content = data[12:16], data[20:30]
    if len(content) < 10:
        return None
    if form == b"VP8X":
        sides = [int.from_bytes(content[place : place + 3], "little") + 1 for place in (4, 7)]
    elif form == b"VP8L":
        bits = int.from_bytes(content[1:5], "little")
        sides = [(bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1]
    else:
        sides = [int.from_bytes(content[place : place + 2], "little") & 0x3FFF for place in (6, 8)]
    return PictureHeader("WebP", sides[0], sides[1], whole)


def end_png(data: bytes) -> bytes | None:
    """Return a PNG without its end as one with an end; None where pixels are missing."""
    end, _ = _png_end(data)
    inflate, place = zlib.decompressobj(), len(PNG_MARK)
    while place < end:
        length = int.from_bytes(data[place : place + 4], "big")
        if data[place + 4 : place + 8] == b"IDAT":
            try:
                inflate.decompress(data[place + 8 : place + 8 + length])
            except zlib.error:
                return None
        place += 12 + length
    return data[:end] + PNG_END if inflate.eof else None


def end_jpeg(data: bytes) -> bytes:
    """Return a JPEG without its end as one with an end, and without zeros that only fill it up."""
    content = len(data.rstrip(b"\0"))
    return data[: content + MAX_ZEROS] + JPEG_END


def more_pixels(data: bytes) -> bytes:
    """Return bytes that a decoder reads as pixels where the pixels of a JPEG end too early."""
    last = max(range(8), key=lambda index: data.rfind(bytes((0xFF, RESTART + index))))
    if data.rfind(bytes((0xFF, RESTART + last))) < 0:
        return ANY_PIXELS
    return ANY_PIXELS + bytes((0xFF, RESTART + (last + 1) % 8)) + ANY_PIXELS
