"""Media: the best picture and sound of a visit, written as files that only their owner can read."""

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
from birdfield.journal.entries import EvidenceFile
from birdfield.journal.records import UNDECIDED
from birdfield.signals.audio import Waveform
from birdfield.signals.boxes import Box
from birdfield.signals.image import Frame
from birdfield.signals.sonogram import draw_sonogram

FOLDER = "evidence"
JPEG_QUALITY = 90  # of 100
NAME_BYTES = 80  # of a species' name in a file name; file systems allow 255 in all
SUFFIXES = frozenset({".jpg", ".flac", ".png"})


@dataclass(frozen=True)
class Picture:
    """A frame, as JPEG to save memory while many visits last.

    Attributes:
        jpeg: The frame.
        score: The score of its window times its quality, 0..1.
        box: The left, top, width and height of what moved, in pixels of the frame.
        start_s: The start of its window, in seconds of the scene.
        end_s: The end of its window, in seconds of the scene.
    """

    jpeg: bytes
    score: float
    box: Box
    start_s: float
    end_s: float


@dataclass(frozen=True)
class Sound:
    """A piece of sound.

    Attributes:
        waveform: float32 [N], -1..1.
        rate_hz: The sample rate.
        score: The score of its window times its quality, 0..1.
        start_s: The start of the sound, in seconds of the scene.
        end_s: The end of the sound, in seconds of the scene.
    """

    waveform: Waveform
    rate_hz: int
    score: float
    start_s: float
    end_s: float


@dataclass
class BestMedia:
    """The picture and the sound with the highest scores in a visit so far."""

    picture: Picture | None = None
    sound: Sound | None = None

    def offer_frame(
        self, frame: Frame, score: float, box: Box | None, start_s: float, end_s: float
    ) -> None:
        """Keep a frame if its score is higher than that of the picture.

        Args:
            frame: uint8 [H, W, 3] BGR.
            score: The score of its window times its quality, 0..1.
            box: What moved, in pixels of the frame; None for the whole frame.
            start_s: The start of its window, in seconds of the scene.
            end_s: The end of its window, in seconds of the scene.
        """
        if self.picture is not None and score <= self.picture.score:
            return
        _, jpeg = cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
        height, width = frame.shape[:2]
        self.picture = Picture(jpeg.tobytes(), score, box or (0, 0, width, height), start_s, end_s)

    def offer_sound(self, sound: Sound) -> None:
        """Keep a sound if its score is higher than that of the present one."""
        if self.sound is None or sound.score > self.sound.score:
            self.sound = sound


def safe_name(species: str) -> str:
    """Return a species' name as a part of a file name.

    Letters, marks and digits of every script stay; other characters become `_`.
    """
    kept = "".join(
        character if unicodedata.category(character)[0] in "LMN" else "_"
        for character in unicodedata.normalize("NFC", species)
    )
    cut = kept.encode()[:NAME_BYTES].decode(errors="ignore").strip("_")
    return cut or "bird"


def write_evidence(
    folder: Path, started: datetime, species: str | None, media: BestMedia
) -> tuple[EvidenceFile, ...]:
    """Write the media of a visit below a journal's folder.

    Args:
        folder: The folder of the journal.
        started: The aware time of the visit's start.
        species: Its label; None for an undecided visit.
        media: Its picture and sound.

    Returns:
        The files: a picture, a sound and its sonogram, as far as there are media.

    Raises:
        InputError: If a file cannot be written; then none of the visit's files stays.
    """
    stem = (
        f"{FOLDER}/{started.astimezone(UTC):%Y-%m-%d/%H%M%S}_"
        f"{safe_name(species or UNDECIDED)}_{secrets.token_hex(4)}"
    )
    written: list[EvidenceFile] = []
    try:
        _make_folder(folder, (folder / stem).parent)
        if (picture := media.picture) is not None:
            written.append(_write(folder, f"{stem}.jpg", "picture", picture.jpeg, picture))
        if (sound := media.sound) is not None:
            written.append(_write(folder, f"{stem}.flac", "sound", _flac(sound), sound))
            _, png = cv2.imencode(".png", draw_sonogram(sound.waveform))
            written.append(_write(folder, f"{stem}.png", "sonogram", png.tobytes(), sound))
    except BaseException:
        # On a card that is read-only now this fails; the next watch deletes the orphans.
        with suppress(OSError):
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
    box = of.box if isinstance(of, Picture) else None
    return EvidenceFile(kind, path, len(data), of.score, of.start_s, of.end_s, box)


def _flac(sound: Sound) -> bytes:
    stream = io.BytesIO()
    soundfile.write(stream, sound.waveform, sound.rate_hz, format="FLAC", subtype="PCM_16")
    return stream.getvalue()


def remove_evidence(folder: Path, paths: Iterable[str]) -> None:
    """Delete files below a journal's folder, and the folders of days that become empty."""
    for path in paths:
        file = folder / path
        file.unlink(missing_ok=True)
        try:
            file.parent.rmdir()
        except OSError:  # the day has other files
            continue


def remove_orphans(folder: Path, known: set[str]) -> int:
    """Delete evidence without a visit, which a kill leaves, and return the number of files.

    Args:
        folder: The folder of the journal.
        known: The paths that visits name, relative to the folder.
    """
    orphans = []
    for place, _, names in os.walk(folder / FOLDER):
        for name in names:
            path = Path(place, name)
            ours = path.suffix in SUFFIXES or name.startswith(".")  # drafts have a leading dot
            if ours and path.relative_to(folder).as_posix() not in known:
                orphans.append(path.relative_to(folder).as_posix())
    remove_evidence(folder, orphans)
    return len(orphans)
