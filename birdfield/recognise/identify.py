"""Identifying files: photographs, recordings, folders of them, or a pair of both."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from birdfield.errors import InputError
from birdfield.model.encoder import Encoder, Vector, unit
from birdfield.model.gallery import Gallery
from birdfield.model.sense import Sense
from birdfield.recognise.decide import decide
from birdfield.recognise.embed import EmbeddedSample, embed_file, sense_of_file
from birdfield.recognise.observation import Observation
from birdfield.signals.audio import AUDIO_SUFFIXES
from birdfield.signals.image import IMAGE_SUFFIXES


def list_files(paths: Iterable[Path]) -> list[Path]:
    """Expand folders to the photographs and recordings below them, in the order of their paths.

    What is hidden, as a trash or thumbnails, is passed over.

    Raises:
        InputError: When a path does not exist or a folder holds neither.
    """
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(
                place
                for place in path.rglob("*")
                if place.suffix.lower() in IMAGE_SUFFIXES | AUDIO_SUFFIXES
                and not any(part.startswith(".") for part in place.relative_to(path).parts)
                and place.is_file()
            )
            if not inside:
                raise InputError(f"{path}: no photograph or recording in this folder")
            files += inside
        elif path.exists():
            sense_of_file(path)
            files.append(path)
        else:
            raise InputError(f"{path}: no such file or folder")
    return files


def identify_file(
    encoder: Encoder, gallery: Gallery, path: Path, pooled: bool = False
) -> Iterator[Observation]:
    """Answer for one file: a recording gets an answer for each of its windows, or one.

    Args:
        encoder: The model.
        gallery: Its species.
        path: A photograph or a recording.
        pooled: Whether all windows of a recording make one answer.

    Raises:
        InputError: When the file cannot be used.
    """
    parts: Iterable[EmbeddedSample] = embed_file(encoder, path)
    if pooled:
        parts = [pool_parts(parts)]
    for part in parts:
        seen = str(path) if part.image is not None else None
        heard = str(path) if part.audio is not None else None
        yield Observation(
            datetime.now(UTC),
            part.start_s,
            part.end_s,
            decide(
                encoder,
                gallery,
                part.image,
                part.audio,
                part.quality,
                part.quality,
                part.background,
            ),
            seen,
            heard,
        )


def identify_pair(encoder: Encoder, gallery: Gallery, image: Path, audio: Path) -> Observation:
    """Give one answer for a photograph and a recording of the same bird.

    Raises:
        InputError: When one of them is not what it should be, or cannot be used.
    """
    if sense_of_file(image) != Sense.IMAGE:
        raise InputError(
            f"{image}: --image takes a photograph; "
            f"expected one of {' '.join(sorted(IMAGE_SUFFIXES))}"
        )
    if sense_of_file(audio) != Sense.AUDIO:
        raise InputError(
            f"{audio}: --audio takes a recording; "
            f"expected one of {' '.join(sorted(AUDIO_SUFFIXES))}"
        )
    seen = pool_parts(embed_file(encoder, image))
    heard = pool_parts(embed_file(encoder, audio))
    return Observation(
        datetime.now(UTC),
        heard.start_s,
        heard.end_s,
        decide(encoder, gallery, seen.image, heard.audio, seen.quality, heard.quality),
        str(image),
        str(audio),
    )


def pool_parts(parts: Iterable[EmbeddedSample]) -> EmbeddedSample:
    """Pool all windows of one file into one part of their mean quality, holding only their sum.

    It is birdless where each of them is.
    """
    total: Vector | None = None
    qualities = count = 0.0
    start_s = end_s = None
    sense_is_image, background = False, True
    for part in parts:
        sense_is_image = part.image is not None
        vector = part.image if part.image is not None else part.audio
        assert vector is not None  # a part holds one of the two
        total = vector if total is None else total + vector
        qualities, count = qualities + part.quality, count + 1
        start_s = part.start_s if start_s is None else start_s
        end_s = part.end_s
        background = background and part.background
    if total is None:
        raise InputError("nothing to pool; expected at least one window")
    vector = unit(total)
    return EmbeddedSample(
        vector if sense_is_image else None,
        None if sense_is_image else vector,
        start_s,
        end_s,
        qualities / count,
        background,
    )
