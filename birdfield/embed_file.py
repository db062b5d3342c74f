"""One file's tower vectors: a photograph, or a recording window by window."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from birdfield.audio import (
    AUDIO_SUFFIXES,
    MIN_SAMPLES,
    RATE_HZ,
    Waveform,
    read_blocks,
    windows,
)
from birdfield.encoder import Encoder, Vector
from birdfield.errors import InputError
from birdfield.image import IMAGE_SUFFIXES, Frame, read_image
from birdfield.quality import frame_fault, window_fault


@dataclass(frozen=True)
class Part:
    """A photograph, or one usable window of a recording.

    Attributes:
        image: The image tower's vector [128], or None.
        audio: The audio tower's vector [128], or None.
        start_s: Where the window begins in the recording; None for a photograph.
        end_s: Where it ends.
    """

    image: Vector | None
    audio: Vector | None
    start_s: float | None = None
    end_s: float | None = None


def sense_of_file(path: Path) -> str:
    """Tell by its ending whether a file is seen or heard: "image" or "audio".

    Raises:
        InputError: When it is neither.
    """
    suffix = path.suffix.lower()
    if suffix in IMAGE_SUFFIXES:
        return "image"
    if suffix in AUDIO_SUFFIXES:
        return "audio"
    endings = " ".join(sorted(IMAGE_SUFFIXES | AUDIO_SUFFIXES))
    raise InputError(f"{path}: neither a photograph nor a recording by its ending; "
                     f"expected one of {endings}")


def embed_file(encoder: Encoder, path: Path) -> Iterator[Part]:
    """Embed a photograph, or each window of a recording, in bounded memory.

    Raises:
        InputError: When it cannot be read, or nothing in it is usable.
    """
    if sense_of_file(path) == "audio":
        yield from embed_sound(encoder, read_blocks(path), str(path))
        return
    yield Part(encoder.image_vector(read_photograph(path)), None)


def read_photograph(path: Path) -> Frame:
    """Read a picture, uint8 [H, W, 3] BGR; raises InputError when it shows nothing."""
    image = read_image(path)
    fault = frame_fault(image, 0.0)
    if fault:
        raise InputError(f"{path}: the picture is {fault}; expected a photograph of a bird")
    return image


def embed_sound(encoder: Encoder, blocks: Iterable[Waveform], name: str) -> Iterator[Part]:
    """Embed each usable window of one recording, given in consecutive pieces.

    Raises:
        InputError: When it is too short, or no window of it is usable; `name` is named.
    """
    fault: str | None = None
    usable = length = 0
    for start, waveform in windows(blocks):
        length = start + len(waveform)
        fault = window_fault(waveform)
        if fault or length < MIN_SAMPLES:
            continue
        usable += 1
        yield Part(None, encoder.audio_vector(encoder.frames(waveform)),
                   start / RATE_HZ, length / RATE_HZ)
    if length < MIN_SAMPLES:
        raise InputError(f"{name}: {length / RATE_HZ:.3f} s of sound; expected at least "
                         f"{MIN_SAMPLES / RATE_HZ} s")
    if not usable:
        raise InputError(f"{name}: the recording is {fault}; expected the sound of a bird")
