"""One file's tower vectors: a photograph, or a recording window by window."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from birdfield.errors import InputError
from birdfield.model.encoder import Encoder, Vector
from birdfield.model.frontend import Heard
from birdfield.model.sense import Sense
from birdfield.recognise.bird_gate import is_background
from birdfield.signals.audio import AUDIO_SUFFIXES, MIN_S, Waveform, read_blocks
from birdfield.signals.image import IMAGE_SUFFIXES, Frame, read_image
from birdfield.signals.signal_quality import picture_quality, sound_quality
from birdfield.signals.usability import frame_fault, window_fault
from birdfield.signals.windows import cut_windows


@dataclass(frozen=True)
class EmbeddedSample:
    """A photograph, or one usable window of a recording.

    Attributes:
        image: The image tower's vector [128], or None.
        audio: The audio tower's vector [128], or None.
        start_s: Where the window begins in the recording; None for a photograph.
        end_s: Where it ends.
        quality: Of the signal, 0..1, by `birdfield.signal_quality`.
        background: Whether it is sound without a bird, by its classes; see `gates`.
        heard: What the frontend made of the sound.
    """

    image: Vector | None
    audio: Vector | None
    start_s: float | None = None
    end_s: float | None = None
    quality: float = 1.0
    background: bool = False
    heard: Heard | None = None


NO_SAMPLE = EmbeddedSample(None, None)  # of a sense that is not usable


def sense_of_file(path: Path) -> Sense:
    """Tell by its ending whether a file is seen or heard: "image" or "audio".

    Raises:
        InputError: When it is neither.
    """
    suffix = path.suffix.lower()
    if suffix in IMAGE_SUFFIXES:
        return Sense.IMAGE
    if suffix in AUDIO_SUFFIXES:
        return Sense.AUDIO
    endings = " ".join(sorted(IMAGE_SUFFIXES | AUDIO_SUFFIXES))
    raise InputError(
        f"{path}: neither a photograph nor a recording by its ending; expected one of {endings}"
    )


def embed_file(encoder: Encoder, path: Path) -> Iterator[EmbeddedSample]:
    """Embed a photograph, or each window of a recording, in bounded memory.

    Raises:
        InputError: When it cannot be read, or nothing in it is usable.
    """
    if sense_of_file(path) == Sense.AUDIO:
        yield from embed_sound(encoder, read_blocks(path, encoder.audio_spec.rate_hz), str(path))
        return
    yield see(encoder, read_photograph(path))


def see(encoder: Encoder, frame: Frame) -> EmbeddedSample:
    """Embed a usable picture, uint8 [H, W, 3] BGR."""
    return EmbeddedSample(encoder.image_vector(frame), None, quality=picture_quality(frame))


def hear(
    encoder: Encoder,
    waveform: Waveform,
    start_s: float,
    end_s: float,
    alone: bool = True,
    birds_only: bool = False,
) -> EmbeddedSample:
    """Embed a usable window of sound at the frontend's rate, float32 [N].

    Beside a picture the classes decide nothing, and may cost a run of YAMNet: unless the sound is
    alone, they are not asked for. With `birds_only` a sound without a bird has no vector.
    """
    heard = encoder.hear(waveform)
    background = alone and is_background(heard.classes)
    vector = None if background and birds_only else encoder.audio_vector(heard.frames)
    return EmbeddedSample(
        None,
        vector,
        start_s,
        end_s,
        sound_quality(waveform, encoder.audio_spec.rate_hz),
        background,
        heard,
    )


def read_photograph(path: Path) -> Frame:
    """Read a picture, uint8 [H, W, 3] BGR; raises InputError when it shows nothing."""
    image = read_image(path)
    fault = frame_fault(image, 0.0)
    if fault:
        raise InputError(f"{path}: the picture is {fault}; expected a photograph of a bird")
    return image


def embed_sound(
    encoder: Encoder, blocks: Iterable[Waveform], name: str
) -> Iterator[EmbeddedSample]:
    """Embed each usable window of one recording, given in consecutive pieces.

    Raises:
        InputError: When it is too short, or no window of it is usable; `name` is named.
    """
    fault: str | None = None
    usable, end_s = 0, 0.0
    rate_hz = encoder.audio_spec.rate_hz
    for start, waveform in cut_windows(blocks, encoder.audio_spec):
        end_s = (start + len(waveform)) / rate_hz
        fault = window_fault(waveform)
        if fault or end_s < MIN_S:
            continue
        usable += 1
        yield hear(encoder, waveform, start / rate_hz, end_s)
    if end_s < MIN_S:
        raise InputError(f"{name}: {end_s:.3f} s of sound; expected at least {MIN_S} s")
    if not usable:
        raise InputError(f"{name}: the recording is {fault}; expected the sound of a bird")
