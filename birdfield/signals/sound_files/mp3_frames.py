"""MP3 frames: finds the frames of an MP3 file, and gives the decoder their true number.

An MP3 file states its length in a first frame without sound (`Xing` or `Info`), or nowhere; then
the decoder guesses from the size of the first frames, and stops there. Joined files state only the
length of the first.
"""

import re
from dataclasses import dataclass, field
from typing import BinaryIO

from birdfield.signals.sound_files.part import SoundPart
from birdfield.signals.sound_files.pieces import Piece, Scan

SYNC = re.compile(rb"\xff[\xe2\xe3\xf2\xf3\xfa\xfb]")  # layer III of MPEG 1, 2 and 2.5
# By the version's bits: 0 is MPEG 2.5, 2 is MPEG 2, 3 is MPEG 1.
RATES_HZ = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}
BIT_RATES_1 = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)  # kbit/s
BIT_RATES_2 = (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
TAG_BIT_RATE = 9  # of the frame that is added: long enough for its tag at each rate
FRAMES_STATED, BYTES_STATED = 1, 2  # flags of a tag: it contains these numbers
FOLLOWING = 2  # frames that must follow a first one, so that it is none by chance
ROUNDING = 3  # frames by which the length of damage may be too short
MAX_FILL = 100_000  # frames of silence in place of damage: three quarters of an hour


@dataclass(frozen=True)
class Mp3Head:
    """The first four bytes of a frame.

    Attributes:
        data: The bytes.
        version: 3 for MPEG 1, 2 for MPEG 2, 0 for MPEG 2.5.
        rate_hz: The sample rate.
        mono: Whether it has one channel.
        size: The bytes of the frame.
    """

    data: bytes
    version: int
    rate_hz: int
    mono: bool
    size: int

    @property
    def samples(self) -> int:
        """The samples of a channel."""
        return 1152 if self.version == 3 else 576

    @property
    def side_at(self) -> int:
        """Where the side information begins: behind the head, and its checksum if it has one."""
        return 4 if self.data[1] & 1 else 6

    @property
    def side_bytes(self) -> int:
        """The length of the side information."""
        return (17 if self.mono else 32) if self.version == 3 else (9 if self.mono else 17)

    def is_like(self, other: "Mp3Head") -> bool:
        """Return whether one decoder can read both frames."""
        mine, others = (self.version, self.rate_hz), (other.version, other.rate_hz)
        return mine == others and self.mono == other.mono

    def with_bit_rate(self, index: int) -> "Mp3Head":
        """Return the head of a frame without a checksum, at another bit rate."""
        first, second, third, fourth = self.data
        found = read_mp3_head(bytes((first, second | 1, index << 4 | third & 0x0C, fourth)))
        assert found is not None  # the version and the rate are those of a valid head
        return found


def read_mp3_head(data: bytes) -> Mp3Head | None:
    """Read the head of a frame of layer III, 4 bytes; return None where it is none."""
    if len(data) < 4 or data[0] != 0xFF or data[1] & 0xE6 != 0xE2:
        return None
    version, rate, index = data[1] >> 3 & 3, data[2] >> 2 & 3, data[2] >> 4
    if version == 1 or rate == 3 or not 1 <= index <= 14:
        return None
    rate_hz = RATES_HZ[version][rate]
    bit_rate = (BIT_RATES_1 if version == 3 else BIT_RATES_2)[index - 1] * 1000
    size = (144 if version == 3 else 72) * bit_rate // rate_hz + (data[2] >> 1 & 1)
    return Mp3Head(data, version, rate_hz, data[3] >> 6 == 3, size)


def read_tag(frame: bytes, head: Mp3Head) -> tuple[bytes, int] | None:
    """Read a frame that is a tag without sound.

    Returns:
        The frame, and the number of frames that it states, 0 for none; None for a frame of sound.
    """
    place = 4 + head.side_bytes
    if frame[place : place + 4] not in (b"Xing", b"Info"):
        return None
    flags = frame[place + 7]
    stated = int.from_bytes(frame[place + 8 : place + 12], "big") if flags & FRAMES_STATED else 0
    return frame, stated


@dataclass
class _Run:
    """Frames that one decoder reads.

    Attributes:
        head: The head of its first frame.
        tag: The first frame, where it is a tag without sound.
        stated: The number of frames that the tag states; 0 for none.
        pieces: The frames with sound.
        frames: Their number.
        filled: How many more are silence, because the file is damaged there.
        filled_at: Where in `pieces` the last silence begins.
        sound_bytes: The bytes of the frames with sound.
        last_bytes: The bytes of the last of them.
    """

    head: Mp3Head
    tag: bytes = b""
    stated: int = 0
    pieces: list[Piece] = field(default_factory=list)
    frames: int = 0
    filled: int = 0
    filled_at: int = 0
    sound_bytes: int = 0
    last_bytes: int = 0

    def add(self, place: int, size: int) -> None:
        last = self.pieces[-1] if self.pieces else None
        if isinstance(last, range) and last.stop == place:
            self.pieces[-1] = range(last.start, place + size)
        else:
            self.pieces.append(range(place, place + size))
        self.frames += 1
        self.sound_bytes += size
        self.last_bytes = size

    def fill(self, lost_bytes: int) -> None:
        """Put silence in place of damage, as long as it was by the mean size of a frame.

        The frame before the damage is silent too: its end is lost.
        """
        mean_bytes = self.sound_bytes / max(1, self.frames)
        if lost_bytes and isinstance(last := self.pieces[-1] if self.pieces else None, range):
            self.pieces[-1] = range(last.start, last.stop - self.last_bytes)
            self.frames -= 1
            lost_bytes += self.last_bytes
        self.filled_at = len(self.pieces)
        self._add_silence(min(round(lost_bytes / max(1, mean_bytes)), MAX_FILL))

    def _add_silence(self, count: int) -> None:
        silent = self.head.with_bit_rate(1)
        frame: Piece = silent.data + bytes(silent.size - 4)
        self.pieces[self.filled_at : self.filled_at] = [frame] * count
        self.filled += count

    def mute(self, head: Mp3Head, place: int, borrowed: int) -> None:
        """Add a frame that needs lost bytes as silence, so that the next one finds its bytes.

        Args:
            head: The head of the frame.
            place: Where the frame begins.
            borrowed: How many bytes of earlier frames there are for it.
        """
        start, shift = head.side_at + head.side_bytes, 7 if head.version == 3 else 8
        side = (borrowed << shift).to_bytes(2, "big").ljust(head.side_bytes, b"\0")
        silent = head.data + bytes(head.side_at - 4) + side
        self.pieces += [silent, range(place + start, place + head.size)]
        self.filled += 1

    def part(self) -> SoundPart:
        """Return the frames behind a first one that states their number."""
        if self.filled and 0 < self.stated - self.frames - self.filled <= ROUNDING:
            self._add_silence(self.stated - self.frames - self.filled)
        count = self.frames + self.filled
        return SoundPart(
            (self._tag(count), *self.pieces),
            stated=self.stated * self.head.samples if self.stated > count else None,
            lost=self.filled * self.head.samples,
        )

    def _tag(self, count: int) -> bytes:
        if self.tag and self.stated == count:  # it also states what an encoder added to the sound
            return self._with_size(self.tag)
        head = self.head.with_bit_rate(TAG_BIT_RATE)
        content = b"Info" + FRAMES_STATED.to_bytes(4, "big") + count.to_bytes(4, "big")
        return (head.data + bytes(head.side_bytes) + content).ljust(head.size, b"\0")

    def _with_size(self, tag: bytes) -> bytes:
        """Correct the number of bytes that a tag states: the decoder warns where it is wrong."""
        flags, size = 4 + self.head.side_bytes + 4, len(tag) + sum(map(len, self.pieces))
        place = flags + 8
        if tag[flags + 3] & (FRAMES_STATED | BYTES_STATED) != FRAMES_STATED | BYTES_STATED:
            return tag
        return tag[:place] + size.to_bytes(4, "big") + tag[place + 4 :]


class _Walk:
    """The walk from frame to frame of a file."""

    def __init__(self, stream: BinaryIO, size: int) -> None:
        self._scan, self._end = Scan(stream), size
        self._heads: dict[bytes, Mp3Head | None] = {}
        self._reservoir: int | None = None  # bytes of frames since the last damage, if any
        self.runs: list[_Run] = []

    def run(self) -> list[_Run]:
        """Find all frames, in runs that one decoder can read."""
        place = self._first(0, None)
        while place is not None:
            head = self._head(place)
            if head is None or place + head.size > self._end:
                after = self._first(place, self.runs[-1].head)
                if after is not None:
                    self.runs[-1].fill(self._lost(place, after))
                    self._reservoir = 0
                place = after
                continue
            self._add(place, head)
            place += head.size
        return [run for run in self.runs if run.frames]

    def _head(self, place: int) -> Mp3Head | None:
        data = self._scan.at(place, 4)
        if data not in self._heads:
            self._heads[data] = read_mp3_head(data)
        return self._heads[data]

    def _add(self, place: int, head: Mp3Head) -> None:
        frame = self._scan.at(place, head.size)
        tag = read_tag(frame, head)
        if tag is not None:
            self.runs.append(_Run(head, *tag))
            return
        if not self.runs or not self.runs[-1].head.is_like(head):
            self.runs.append(_Run(head))
        if self._reservoir is not None and self._borrowed(frame, head) > self._reservoir:
            self.runs[-1].mute(head, place, self._reservoir)
        else:
            self.runs[-1].add(place, head.size)
        if self._reservoir is not None:
            self._reservoir += head.size - head.side_at - head.side_bytes

    def _borrowed(self, frame: bytes, head: Mp3Head) -> int:
        """Return how many bytes of earlier frames a frame needs."""
        side = int.from_bytes(frame[head.side_at : head.side_at + 2], "big")
        return side >> 7 if head.version == 3 else side >> 8

    def _first(self, place: int, like: Mp3Head | None) -> int | None:
        """Return where frames begin, with others behind the first; None where none begin."""
        while (place := self._scan.find(SYNC, self._behind_tag(place), self._end)) >= 0:
            if self._is_followed(place, like):
                return place
            place += 1
        return None

    def _is_followed(self, place: int, like: Mp3Head | None) -> bool:
        first = self._head(place)
        for _ in range(FOLLOWING):
            head = self._head(place)
            if head is None or first is None or not head.is_like(like or first):
                return False
            place += head.size
            if place >= self._end:
                return place == self._end
        return self._head(place) is not None

    def _behind_tag(self, place: int) -> int:
        """Return the place behind an ID3v2 tag, whose pictures may look like sound."""
        head = self._scan.at(place, 10)
        if head[:3] != b"ID3" or len(head) < 10:
            return place
        size = 0
        for byte in head[6:]:
            size = size << 7 | byte & 0x7F
        return place + 10 + size

    def _lost(self, place: int, after: int) -> int:
        """Return the bytes of sound between two frames; a tag between joined files is none."""
        is_tag = self._scan.at(place, 3) in (b"TAG", b"ID3", b"APE")
        return 0 if is_tag else after - place


def find_mp3_frames(stream: BinaryIO, size: int) -> tuple[SoundPart, ...]:
    """Find the frames of layer III in a file.

    Args:
        stream: The file.
        size: Its bytes.

    Returns:
        A part for each run of frames that one decoder can read; none where the file has no frames.
    """
    return tuple(run.part() for run in _Walk(stream, size).run())
