"""Identification: answers for photographs, recordings, folders of them, and pairs of both."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from birdfield.errors import InputError
from birdfield.model.encoder import Encoder
from birdfield.model.gallery import Gallery
from birdfield.model.sense import Sense
from birdfield.recognise.decide import Signal, decide
from birdfield.recognise.embed import EmbeddedSample, embed_file, pool_samples, sense_from_suffix
from birdfield.recognise.housekeeping import is_housekeeping
from birdfield.recognise.observation import Observation
from birdfield.signals.audio import AUDIO_SUFFIXES
from birdfield.signals.image import IMAGE_SUFFIXES
from birdfield.signals.recording_time import RecordingTime, recording_time


def list_files(paths: Iterable[Path]) -> list[Path]:
    """List files, and the photographs and recordings below folders, in the order of their paths.

    Hidden files, and the trash and thumbnails of a system, are left out.

    Raises:
        InputError: When a path does not exist, or a folder has no photograph or recording.
    """
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            files += _files_below(path)
        elif path.exists():
            sense_from_suffix(path)
            files.append(path)
        else:
            raise InputError(f"{path}: no such file or folder")
    return files


def _files_below(folder: Path) -> list[Path]:
    files = sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in IMAGE_SUFFIXES | AUDIO_SUFFIXES
        and not is_housekeeping(path.relative_to(folder))
        and path.is_file()
    )
    if not files:
        raise InputError(f"{folder}: no photograph or recording in this folder")
    return files


def identify_file(
    encoder: Encoder, gallery: Gallery, path: Path, pooled: bool = False
) -> Iterator[Observation]:
    """Identify the bird in a photograph, or in each window of a recording.

    Args:
        encoder: The model.
        gallery: Its species.
        path: A photograph or a recording.
        pooled: Whether all windows of a recording have one answer together.

    Raises:
        InputError: When the file cannot be used.
    """
    samples: Iterable[EmbeddedSample] = embed_file(encoder, path)
    if pooled:
        samples = [pool_samples(samples)]
    began = recording_time(path)
    for sample in samples:
        signal = Signal(sample.quality, sample.quality, sample.bird)
        recorded = began and began.at(sample.start_s)
        yield Observation(
            _time(recorded),
            sample.start_s,
            sample.end_s,
            decide(encoder, gallery, sample.image, sample.audio, signal),
            str(path) if sample.image is not None else None,
            str(path) if sample.audio is not None else None,
            recorded,
        )


def _time(recorded: RecordingTime | None) -> datetime:
    """Return the time of an observation: that of the recording, else of this analysis."""
    return recorded.start.astimezone(UTC) if recorded else datetime.now(UTC)


def identify_pair(encoder: Encoder, gallery: Gallery, image: Path, audio: Path) -> Observation:
    """Identify the one bird that a photograph shows and a recording contains.

    Raises:
        InputError: When a file is not of its kind, or cannot be used.
    """
    _check_sense(image, Sense.IMAGE)
    _check_sense(audio, Sense.AUDIO)
    seen = pool_samples(embed_file(encoder, image))
    heard = pool_samples(embed_file(encoder, audio))
    signal = Signal(seen.quality, heard.quality)
    began = recording_time(audio)
    recorded = began.at(heard.start_s) if began else recording_time(image)
    return Observation(
        _time(recorded),
        heard.start_s,
        heard.end_s,
        decide(encoder, gallery, seen.image, heard.audio, signal),
        str(image),
        str(audio),
        recorded,
    )


def _check_sense(path: Path, sense: Sense) -> None:
    if sense_from_suffix(path) != sense:
        kind, suffixes = (
            ("photograph", IMAGE_SUFFIXES)
            if sense == Sense.IMAGE
            else ("recording", AUDIO_SUFFIXES)
        )
        raise InputError(f"{path}: not a {kind}; expected one of {' '.join(sorted(suffixes))}")
