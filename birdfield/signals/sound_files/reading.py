"""Reading: opens a sound file, decodes its parts, and says what is lost of it."""

import logging
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import soundfile

from birdfield.errors import InputError
from birdfield.signals.sound_files.decode import PartDecoder
from birdfield.signals.sound_files.find import find_parts
from birdfield.signals.sound_files.part import SoundPart

MIN_LOSS_S = 0.1  # of sound that cannot be read: less is the rounding of a format

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class OpenSound:
    """An open sound file and its parts."""

    path: Path
    stream: BinaryIO
    parts: tuple[SoundPart, ...]

    def decoders(self) -> Iterator[PartDecoder]:
        """Yield a decoder for each part, to be read to its end; then log what is lost."""
        decoded_s = lost_s = 0.0
        for part in self.parts:
            with closing(PartDecoder(self.stream, part)) as decoder:
                yield decoder
            decoded_s += decoder.decoded / decoder.rate_hz
            lost_s += decoder.lost / decoder.rate_hz
        if lost_s >= MIN_LOSS_S:
            log.warning(
                "%s: %.1f s of %.1f s cannot be read, and the rest is used; copy the file again",
                self.path,
                lost_s,
                decoded_s + lost_s,
            )
        elif self.parts[-1].cut:
            log.warning("%s: cut after %.1f s; copy the file again", self.path, decoded_s)


@contextmanager
def open_sound(path: Path) -> Iterator[OpenSound]:
    """Open a sound file; raise InputError for what goes wrong while it is open."""
    try:
        size = path.stat().st_size
        if size == 0:
            raise InputError(f"{path}: the file is empty; expected a recording")
        with path.open("rb") as stream:
            yield OpenSound(path, stream, find_parts(stream, size))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    except soundfile.LibsndfileError as error:
        reason = str(error.error_string).rstrip(".")
        raise InputError(
            f"{path}: not a recording that can be decoded ({reason}); "
            "expected WAV, FLAC, OGG, Opus, MP3 or AIFF"
        ) from error
