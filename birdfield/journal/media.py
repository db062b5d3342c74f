"""Evidence: the best picture and sound of a visit, as files that only their owner reads."""

import io
import os
import secrets
import unicodedata
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import cv2
import soundfile

from birdfield.atomic import to_input_error, write_file
from birdfield.journal.database import EvidenceFile
from birdfield.signals.audio import Waveform
from birdfield.signals.boxes import Box
from birdfield.signals.image import Frame
from birdfield.signals.sonogram import draw_sonogram

FOLDER = "evidence"
JPEG_QUALITY = 90  # of 100
NAME_BYTES = 80  # of a species' name in a file's; file systems take 255 in all
SUFFIXES = frozenset({".jpg", ".flac", ".png"})


@dataclass(frozen=True)
class Picture:
    """A frame, as JPEG already: many visits may be going on at once."""

    jpeg: bytes
    score: float
    box: Box
    start_s: float
    end_s: float


@dataclass(frozen=True)
class Sound:
    """A piece of sound, float32 [N] at rate_hz."""

    waveform: Waveform
    rate_hz: int
    score: float
    start_s: float
    end_s: float


@dataclass
class BestMedia:
    """The best picture and the best sound of a visit so far."""

    picture: Picture | None = None
    sound: Sound | None = None

    def offer_frame(
        self, frame: Frame, score: float, box: Box | None, start_s: float, end_s: float
    ) -> None:
        """Keep a frame, uint8 [H, W, 3] BGR, if it is better than what there is."""
        if self.picture is not None and score <= self.picture.score:
            return
        _, jpeg = cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
        height, width = frame.shape[:2]
        self.picture = Picture(jpeg.tobytes(), score, box or (0, 0, width, height), start_s, end_s)

    def offer_sound(self, sound: Sound) -> None:
        """Keep a sound if it is better than what there is."""
        if self.sound is None or sound.score > self.sound.score:
            self.sound = sound


def safe_name(species: str) -> str:
    """Turn a species' name in any script into a part of a file's name.

    Letters, marks and digits of every script stay; all else becomes `_`.
    """
    kept = "".join(
        character if unicodedata.category(character)[0] in "LMN" else "_"
        for character in unicodedata.normalize("NFC", species)
    )
    cut = kept.encode()[:NAME_BYTES].decode(errors="ignore").strip("_")
    return cut or "bird"


def write_evidence(
    folder: Path, started: datetime, species: str | None, kept: BestMedia
) -> tuple[EvidenceFile, ...]:
    """Write what was kept of a visit below a journal's folder.

    Args:
        folder: The journal's.
        started: When the visit began, aware.
        species: Its label, or None.
        kept: Its picture and sound.

    Returns:
        What was written: picture, sound and sonogram, as far as there are.

    Raises:
        InputError: When the disk does not take it; nothing of it is left then.
    """
    stem = (
        f"{FOLDER}/{started.astimezone(UTC):%Y-%m-%d/%H%M%S}_"
        f"{safe_name(species or 'undecided')}_{secrets.token_hex(4)}"
    )
    written: list[EvidenceFile] = []
    try:
        _make_folder(folder, (folder / stem).parent)
        if (picture := kept.picture) is not None:
            written.append(_write(folder, f"{stem}.jpg", "picture", picture.jpeg, picture))
        if (sound := kept.sound) is not None:
            written.append(_write(folder, f"{stem}.flac", "sound", _flac(sound), sound))
            _, png = cv2.imencode(".png", draw_sonogram(sound.waveform))
            written.append(_write(folder, f"{stem}.png", "sonogram", png.tobytes(), sound))
    except BaseException:
        with suppress(OSError):  # of a card that is read-only now, the next start deletes them
            remove_evidence(folder, (file.path for file in written))
        raise
    return tuple(written)


def _make_folder(root: Path, folder: Path) -> None:
    try:
        (root / FOLDER).mkdir(mode=0o700, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise to_input_error(folder, error) from error


def _write(folder: Path, path: str, kind: str, data: bytes, of: Picture | Sound) -> EvidenceFile:
    write_file(folder / path, data, mode=0o600)
    return EvidenceFile(
        kind,
        path,
        len(data),
        of.score,
        of.start_s,
        of.end_s,
        of.box if isinstance(of, Picture) else None,
    )


def _flac(sound: Sound) -> bytes:
    stream = io.BytesIO()
    soundfile.write(stream, sound.waveform, sound.rate_hz, format="FLAC", subtype="PCM_16")
    return stream.getvalue()


def remove_evidence(folder: Path, paths: Iterable[str]) -> None:
    """Delete files below a journal's folder, and the day's folder once it is empty."""
    for path in paths:
        place = folder / path
        place.unlink(missing_ok=True)
        try:
            place.parent.rmdir()
        except OSError:  # there are others
            continue


def remove_orphans(folder: Path, known: set[str]) -> int:
    """Delete files that no visit names: a kill came between them and their visit.

    Returns:
        How many there were.
    """
    orphans = []
    for place, _, names in os.walk(folder / FOLDER):
        for name in names:
            path = Path(place, name)
            ours = path.suffix in SUFFIXES or name.startswith(".")
            if ours and path.relative_to(folder).as_posix() not in known:
                orphans.append(path.relative_to(folder).as_posix())
    remove_evidence(folder, orphans)
    return len(orphans)
