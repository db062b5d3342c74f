"""FLAC streams: finds the streams of a FLAC file, and corrects the lengths that they state.

The format is that of RFC 9639. A recorder that writes to a pipe states no length, and libsndfile
then loses the last seconds.
"""

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import BinaryIO

from birdfield.signals.sound_files.part import SoundPart
from birdfield.signals.sound_files.pieces import Scan

MARK = re.compile(rb"fLaC[\x00\x80]\x00\x00\x22")  # the mark, and the head of its first block
SYNC = re.compile(rb"\xff[\xf8\xf9]")  # the first bytes of a frame
TAIL_BYTES = 1 << 20  # a frame is shorter than this
MAX_HEAD_BYTES = 16  # of a frame
LENGTH_AT = 21  # the place of the number of samples: half of this byte, and four more
MAX_LENGTH = (1 << 36) - 1
BLOCK_SIZES = {1: 192, **{code: 144 << code for code in range(2, 6)}}
BLOCK_SIZES |= {code: 1 << code for code in range(8, 16)}


@dataclass(frozen=True)
class FlacFrame:
    """The head of a frame: its first sample and its number of samples."""

    first: int
    samples: int


def find_flac_streams(stream: BinaryIO, size: int) -> tuple[SoundPart, ...]:
    """Divide a FLAC file into its streams, each with the length that its last frame proves.

    Args:
        stream: The file.
        size: Its bytes.

    Returns:
        A part for each stream; none where the file has none.
    """
    scan = Scan(stream)
    starts = []
    place = scan.find(MARK, 0, size)
    while place >= 0:
        starts.append(place)
        place = scan.find(MARK, place + 1, size)
    return tuple(_part(scan, *span) for span in pairwise([*starts, size]))


def _part(scan: Scan, start: int, end: int) -> SoundPart:
    head = scan.at(start, LENGTH_AT + 5)
    stated = int.from_bytes(head[LENGTH_AT:], "big") & MAX_LENGTH
    block = int.from_bytes(head[8:10], "big")  # the samples of a frame, where all have as many
    length = _length(scan.at(max(start, end - TAIL_BYTES), min(TAIL_BYTES, end - start)), block)
    if length is None or length == stated:
        return SoundPart((range(start, end),))
    low = (head[LENGTH_AT] & 0xF0) << 32 | min(length, MAX_LENGTH)
    patched = head[:LENGTH_AT] + low.to_bytes(5, "big")
    pieces = patched, range(start + len(patched), end)
    return SoundPart(pieces, stated=stated if stated > length else None)


def _length(tail: bytes, block: int) -> int | None:
    """Return the samples up to the last frame of a stream's last bytes; None where it is unsure."""
    later: FlacFrame | None = None
    for found in reversed(list(SYNC.finditer(tail))):
        frame = read_frame_head(tail[found.start() : found.start() + MAX_HEAD_BYTES], block)
        if frame is None:
            continue
        # Bytes that only look like a frame do not follow another one.
        if later is not None and frame.first + frame.samples == later.first:
            return later.first + later.samples
        if frame.first == 0:
            return frame.samples
        later = frame
    return None


def read_frame_head(data: bytes, block: int) -> FlacFrame | None:
    """Read the head of a frame.

    Args:
        data: At least MAX_HEAD_BYTES from the first byte of the frame on, or all there are.
        block: The samples of each frame but the last, where the stream has one size.

    Returns:
        The frame; None where the bytes are none, by their checksum.
    """
    if len(data) < 6 or data[0] != 0xFF or data[1] & 0xFE != 0xF8:
        return None
    number, place = _coded_number(data)
    size_code, rate_code = data[2] >> 4, data[2] & 15
    extra = {6: 1, 7: 2}.get(size_code, 0)
    sized = place + extra
    place = sized + {12: 1, 13: 2, 14: 2}.get(rate_code, 0)
    if number is None or place >= len(data) or crc8(data[:place]) != data[place]:
        return None
    given = int.from_bytes(data[sized - extra : sized], "big") + 1
    samples = given if extra else BLOCK_SIZES.get(size_code, 0)
    return FlacFrame(number if data[1] & 1 else number * block, samples)


def _coded_number(data: bytes) -> tuple[int | None, int]:
    """Return the number that is coded from byte 4 on as UTF-8 codes one, and the place behind."""
    lead = data[4]
    if lead < 0x80:
        return lead, 5
    count = 8 - (lead ^ 0xFF).bit_length()  # of the leading ones
    rest = data[5 : 4 + count]
    if not 2 <= count <= 7 or any(byte & 0xC0 != 0x80 for byte in rest):
        return None, 5
    number = lead & (0x7F >> count)
    for byte in rest:
        number = number << 6 | byte & 0x3F
    return number, 4 + count


def crc8(data: bytes) -> int:
    """Return the checksum of a frame's head: polynomial x^8 + x^2 + x + 1."""
    checksum = 0
    for byte in data:
        checksum ^= byte
        for _ in range(8):
            checksum = (checksum << 1 ^ 0x107) if checksum & 0x80 else checksum << 1
    return checksum
