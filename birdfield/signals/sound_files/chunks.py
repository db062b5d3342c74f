"""Chunks: finds the sound in WAV, RF64, W64 and AIFF files, whose header may state a wrong size.

The size of a data chunk is right where it leads to the end of the file or to other chunks. It is
wrong where the recorder never wrote it, where it has wrapped at 4 GiB, and where the file was cut.
"""

from dataclasses import dataclass
from typing import BinaryIO, Literal

from birdfield.signals.sound_files.part import RawFormat, SoundPart
from birdfield.signals.sound_files.pieces import Scan
from birdfield.signals.sound_files.sample_formats import aiff_format, wav_format

W64_RIFF = b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\x00\x00"
W64_ENDS = (W64_RIFF[4:], b"\xf3\xac\xd3\x11\x8c\xd1\x00\xc0\x4f\x8e\xdb\x8a")  # of its ids
WRAP = 1 << 32
NO_SIZE = 0x7FFF_0000  # from here on, a size of 32 bits was written before the end was known
MAX_HEAD_BYTES = 4096  # of a chunk that describes the samples
# Chunks that may be cut at the end of a file; any other must be whole to count as a chunk.
KNOWN = frozenset(
    {b"LIST", b"bext", b"guan", b"iXML", b"wamd", b"id3 ", b"ID3 ", b"cue ", b"fact", b"JUNK"}
    | {b"junk", b"PAD ", b"PEAK", b"FLLR", b"smpl", b"_PMX", b"afsp", b"NAME", b"ANNO", b"APPL"}
)


@dataclass(frozen=True)
class _Layout:
    """How a file is divided into chunks."""

    order: Literal["little", "big"]
    aiff: bool = False
    w64: bool = False

    @property
    def id_bytes(self) -> int:
        return 16 if self.w64 else 4

    @property
    def head_bytes(self) -> int:
        return 24 if self.w64 else 8

    @property
    def first(self) -> int:
        """Where the first chunk begins."""
        return 40 if self.w64 else 12

    def padded(self, size: int) -> int:
        return size + -size % (8 if self.w64 else 2)

    def is_id(self, name: bytes) -> bool:
        return all(32 <= byte < 127 for byte in name[:4]) and (not self.w64 or name[4:] in W64_ENDS)


@dataclass(frozen=True)
class _Chunk:
    name: bytes  # four bytes
    start: int  # of its content
    size: int  # as stated


class _Form:
    """One WAV, W64 or AIFF file, from a place of a file to the end of the file."""

    def __init__(self, scan: Scan, place: int, end: int, layout: _Layout) -> None:
        self._scan, self._place, self._end, self._layout = scan, place, end, layout

    def part(self) -> tuple[SoundPart, int] | None:
        """Return the sound and the place behind the form; None where there is no sound in it."""
        raw: RawFormat | None = None
        long_size: int | None = None
        place = self._place + self._layout.first
        while (chunk := self._chunk(place)) is not None:
            if chunk.name == b"ds64":
                long_size = int.from_bytes(self._content(chunk)[8:16], "little")
            elif chunk.name == b"fmt ":
                raw = wav_format(self._content(chunk), self._layout.order)
            elif chunk.name == b"COMM":
                raw = aiff_format(self._content(chunk))
            elif chunk.name in (b"data", b"SSND"):
                return self._sound(chunk, raw, long_size)
            place = chunk.start + self._layout.padded(chunk.size)
        return None

    def _chunk(self, place: int) -> _Chunk | None:
        layout = self._layout
        head = self._scan.at(place, layout.head_bytes)
        if place + layout.head_bytes > self._end or not layout.is_id(head[: layout.id_bytes]):
            return None
        size = int.from_bytes(head[layout.id_bytes :], layout.order)
        size -= layout.head_bytes if layout.w64 else 0
        return _Chunk(head[:4], place + layout.head_bytes, size)

    def _content(self, chunk: _Chunk) -> bytes:
        return self._scan.at(chunk.start, max(0, min(chunk.size, MAX_HEAD_BYTES)))

    def _sound(
        self, chunk: _Chunk, raw: RawFormat | None, long_size: int | None
    ) -> tuple[SoundPart, int]:
        start, size = chunk.start, chunk.size
        if long_size is not None and size == WRAP - 1:
            size = long_size
        behind = self._behind(start + size) if 0 <= size <= self._end - start else None
        if behind is not None or raw is None:  # right, or for libsndfile alone to judge
            behind = self._end if behind is None else behind
            return SoundPart((range(self._place, behind),)), behind
        skipped = 8 + int.from_bytes(self._scan.at(start, 4), "big") if self._layout.aiff else 0
        end = self._wrapped_end(start, size)
        samples = max(0, end - start - skipped) // raw.frame_bytes
        first = min(start + skipped, end)
        stated = size // raw.frame_bytes if end - start < size < self._no_size(long_size) else None
        return SoundPart((range(first, first + samples * raw.frame_bytes),), raw, stated), self._end

    def _no_size(self, long_size: int | None) -> int:
        return NO_SIZE if long_size is None and not self._layout.w64 else 1 << 62

    def _wrapped_end(self, start: int, size: int) -> int:
        """Return the end of sound whose size has wrapped: before chunks, else the file's end."""
        for end in range(start + size + WRAP, self._end, WRAP):
            if self._behind(end) is not None:
                return end
        return self._end

    def _behind(self, place: int) -> int | None:
        """Return the place behind the chunks that follow the sound; None where none follow."""
        first = self._place + self._layout.padded(place - self._place)
        found = self._follow(min(first, self._end))
        return self._follow(place) if found is None else found

    def _follow(self, place: int) -> int | None:
        while self._end - place >= self._layout.head_bytes:
            if _layout_at(self._scan, place) is not None:  # another file is joined to this one
                return place
            chunk = self._chunk(place)
            if chunk is None or chunk.size < 0:
                return None
            place = chunk.start + self._layout.padded(chunk.size)
            if place > self._end + 1 and chunk.name not in KNOWN:
                return None
        return self._end


def _layout_at(scan: Scan, place: int) -> _Layout | None:
    head = scan.at(place, 16)
    if head[8:12] == b"WAVE" and head[:4] in (b"RIFF", b"RF64", b"BW64"):
        return _Layout("little")
    if head[8:12] == b"WAVE" and head[:4] == b"RIFX":
        return _Layout("big")
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return _Layout("big", aiff=True)
    return _Layout("little", w64=True) if head == W64_RIFF else None


def find_in_chunks(stream: BinaryIO, size: int) -> tuple[SoundPart, ...]:
    """Find the sound in a file of chunks, or in several that are joined to one.

    Args:
        stream: The file.
        size: Its bytes.

    Returns:
        A part for each; none where the file is not one of chunks, or has no sound.
    """
    scan, place = Scan(stream), 0
    parts: list[SoundPart] = []
    while place < size and (layout := _layout_at(scan, place)) is not None:
        found = _Form(scan, place, size, layout).part()
        if found is None:
            break
        parts.append(found[0])
        place = found[1]
    return tuple(parts)
