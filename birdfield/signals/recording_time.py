"""Recording time: finds when a sound, a film or a photograph was recorded, and what states it."""

import logging
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from mmap import ACCESS_READ, mmap
from pathlib import Path

from birdfield.signals import time_texts as texts
from birdfield.signals.exif import taken_at

END_BYTES = 262_144  # of the beginning and of the end of a file that are searched
OLDEST = datetime(1990, 1, 1, tzinfo=UTC)  # an earlier time is that of a clock that was not set
SINCE_1904 = datetime(1904, 1, 1, tzinfo=UTC)  # where the time of an MP4 file begins
MOVIE_HEADER = re.compile(rb"mvhd(?:\x00.{3}(.{4})|\x01.{3}(.{8}))", re.DOTALL)

log = logging.getLogger(__name__)


class TimeSource(StrEnum):
    """What states the time of a recording.

    Attributes:
        GUANO: The GUANO chunk of a WAV file.
        WAMD: The chunk of a Song Meter.
        COMMENT: The comment of an AudioMoth, or another one that says "recorded at".
        BEXT: The Broadcast Wave chunk of a WAV file.
        EXIF: The EXIF tag DateTimeOriginal of a photograph.
        NAME: The name of the file.
        TAG: A date with a time in the tags of a sound or a film.
        OPTION: The user.
        CLOCK: The clock of this machine, for a live source.
    """

    GUANO = "guano"
    WAMD = "wamd"
    COMMENT = "comment"
    BEXT = "bext"
    EXIF = "exif"
    NAME = "name"
    TAG = "tag"
    OPTION = "option"
    CLOCK = "clock"


@dataclass(frozen=True)
class RecordingTime:
    """When a recording began, or a photograph was taken.

    Attributes:
        start: The aware time.
        source: What states it.
    """

    start: datetime
    source: TimeSource

    def at(self, offset_s: float | None) -> "RecordingTime":
        """Return the time of a place in the recording, in seconds; None is its beginning."""
        return RecordingTime(self.start + timedelta(seconds=offset_s or 0.0), self.source)


def recording_time(path: Path) -> RecordingTime | None:
    """Find when a file was recorded.

    A recorder's own statement comes before the name of the file, and the name before tags that a
    conversion may have written. Times without a zone are local time. A time in the future or
    before 1990 is logged and not used.

    Returns:
        The time; None where nothing states it.
    """
    now = datetime.now(UTC)
    for source, start in _statements(path):
        if OLDEST <= start <= now:
            return RecordingTime(start, source)
        if source is TimeSource.TAG:
            continue  # often what a converter put there
        log.warning(
            "%s: the time of recording is %s by its %s, which is %s; it is not used",
            path,
            start.isoformat(timespec="minutes"),
            source,
            "in the future" if start > now else "that of a clock that was not set",
        )
    return None


def _statements(path: Path) -> Iterator[tuple[TimeSource, datetime]]:
    """Yield the times that a file states, the most trustworthy first."""
    readers: list[tuple[TimeSource, Callable[[_Ends], datetime | None]]] = [
        (TimeSource.GUANO, lambda ends: ends.find(texts.GUANO)),
        (TimeSource.WAMD, lambda ends: ends.find(texts.WAMD)),
        (TimeSource.COMMENT, lambda ends: ends.find(texts.AUDIOMOTH) or ends.find(texts.RECORDED)),
        (TimeSource.BEXT, lambda ends: ends.find(texts.BEXT)),
        (TimeSource.EXIF, lambda ends: ends.exif),
        (TimeSource.NAME, lambda _: texts.time_in_name(path.stem)),
        (TimeSource.TAG, _tag_time),
    ]
    ends = _read_ends(path)
    for source, read in readers:
        if (time := read(ends)) is not None:
            yield source, time


@dataclass(frozen=True)
class _Ends:
    """The beginning and the end of a file.

    Attributes:
        data: Both ends, a character a byte.
        plain: Both ends without zeros, as UTF-16 writes ASCII with them.
        exif: When the picture was taken.
    """

    data: str = ""
    plain: str = ""
    exif: datetime | None = None

    def find(self, pattern: re.Pattern[str]) -> datetime | None:
        for text in (self.data, self.plain):
            if (time := texts.time_of(pattern.search(text))) is not None:
                return time
        return None


def _read_ends(path: Path) -> _Ends:
    try:
        if not path.is_file() or not path.stat().st_size:
            return _Ends()
        with path.open("rb") as stream, mmap(stream.fileno(), 0, access=ACCESS_READ) as whole:
            data = whole[:END_BYTES] + whole[max(END_BYTES, len(whole) - END_BYTES) :]
            taken = texts.EXIF.match(taken_at(whole, END_BYTES) or "")
    except OSError:
        return _Ends()  # whoever reads the file itself reports the error
    text = data.decode("latin-1")
    return _Ends(text, text.replace("\0", ""), texts.time_of(taken))


def _tag_time(ends: _Ends) -> datetime | None:
    for pattern in texts.TAGS:
        if (time := ends.find(pattern)) is not None:
            return time
    header = MOVIE_HEADER.search(ends.data.encode("latin-1"))
    seconds = int.from_bytes(header[1] or header[2], "big") if header else 0
    try:
        return SINCE_1904 + timedelta(seconds=seconds) if seconds else None
    except OverflowError:
        return None
