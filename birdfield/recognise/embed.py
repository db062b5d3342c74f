"""Embedding: turns photographs, frames and windows of sound into tower vectors."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from birdfield.errors import InputError
from birdfield.model.encoder import Encoder, Vector, unit
from birdfield.model.frontend import SoundFeatures
from birdfield.model.sense import Sense
from birdfield.recognise.bird_gate import BirdGate, bird_class
from birdfield.recognise.reason import Figure, clearest
from birdfield.signals.audio import AUDIO_SUFFIXES, MIN_S, Waveform, read_blocks
from birdfield.signals.image import IMAGE_SUFFIXES, Frame, read_image
from birdfield.signals.signal_quality import picture_quality, sound_quality
from birdfield.signals.usability import frame_fault, window_fault
from birdfield.signals.windows import cut_windows


@dataclass(frozen=True)
class EmbeddedSample:
    """A photograph, a frame or a usable window of sound, embedded by its tower.

    Attributes:
        image: Vector [128] of the image tower, or None.
        audio: Vector [128] of the audio tower, or None.
        start_s: Start of the window in the recording; None for a photograph.
        end_s: End of the window, likewise.
        quality: Signal quality, 0..1, by `birdfield.signals.signal_quality`.
        bird: YAMNet's best score of a class of birds in the sound, by
            `birdfield.recognise.bird_gate`; None for a photograph, and where it decides nothing.
        features: Output of the frontend for the sound; None for a photograph.
    """

    image: Vector | None
    audio: Vector | None
    start_s: float | None = None
    end_s: float | None = None
    quality: float = 1.0
    bird: Figure | None = None
    features: SoundFeatures | None = None

    @property
    def background(self) -> bool:
        """Whether it is sound without a bird."""
        return self.bird is not None and self.bird.margin < 0

    @property
    def vector(self) -> Vector | None:
        """The vector of either tower; None when neither ran."""
        return self.audio if self.image is None else self.image


NO_SAMPLE = EmbeddedSample(None, None)  # stands for a sense that is absent or not usable


def sense_from_suffix(path: Path) -> Sense:
    """Return whether a file is a photograph or a recording, by the suffix of its name.

    Raises:
        InputError: When the suffix belongs to neither.
    """
    suffix = path.suffix.lower()
    if suffix in IMAGE_SUFFIXES:
        return Sense.IMAGE
    if suffix in AUDIO_SUFFIXES:
        return Sense.AUDIO
    suffixes = " ".join(sorted(IMAGE_SUFFIXES | AUDIO_SUFFIXES))
    raise InputError(f"{path}: neither a photograph nor a recording; expected one of {suffixes}")


def embed_file(encoder: Encoder, path: Path) -> Iterator[EmbeddedSample]:
    """Embed a photograph, or each usable window of a recording, in bounded memory.

    Raises:
        InputError: When the file cannot be read, or nothing in it is usable.
    """
    if sense_from_suffix(path) == Sense.AUDIO:
        blocks = read_blocks(path, encoder.audio_spec.rate_hz)
        yield from embed_recording(encoder, blocks, str(path))
        return
    yield embed_frame(encoder, read_photograph(path))


def read_photograph(path: Path) -> Frame:
    """Read a picture, uint8 [H, W, 3] BGR; raises InputError when it is not usable."""
    image = read_image(path)
    fault = frame_fault(image, 0.0)
    if fault:
        raise InputError(f"{path}: the picture is {fault}; expected a photograph of a bird")
    return image


def embed_frame(encoder: Encoder, frame: Frame) -> EmbeddedSample:
    """Embed a usable picture, uint8 [H, W, 3] BGR."""
    return EmbeddedSample(encoder.image_vector(frame), None, quality=picture_quality(frame))


def embed_recording(
    encoder: Encoder, blocks: Iterable[Waveform], name: str
) -> Iterator[EmbeddedSample]:
    """Embed each usable window of a recording that arrives in consecutive blocks.

    Args:
        encoder: The model.
        blocks: float32 [N] each, mono, -1..1, at the frontend's rate.
        name: The recording's name in error messages.

    Raises:
        InputError: When the recording is too short, or no window of it is usable.
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
        yield embed_window(encoder, waveform, start / rate_hz, end_s)
    if end_s < MIN_S:
        raise InputError(f"{name}: {end_s:.3f} s of sound; expected at least {MIN_S} s")
    if not usable:
        raise InputError(f"{name}: the recording is {fault}; expected the sound of a bird")


def embed_window(
    encoder: Encoder,
    waveform: Waveform,
    start_s: float,
    end_s: float,
    gate: BirdGate = BirdGate.MARK,
) -> EmbeddedSample:
    """Embed a usable window of sound.

    Args:
        encoder: The model.
        waveform: float32 [N], mono, -1..1, at the frontend's rate.
        start_s: Start of the window in the recording or scene.
        end_s: End of the window.
        gate: What to do with a window without a bird. Beside a picture, use OFF: there the class
            scores decide nothing, and may cost a run of YAMNet.

    Returns:
        The sample; without a vector where the gate dropped the window.
    """
    features = encoder.extract_features(waveform)
    bird = None if gate is BirdGate.OFF else bird_class(features.class_scores)
    dropped = gate is BirdGate.DROP and bird is not None and bird.margin < 0
    vector = None if dropped else encoder.audio_vector(features.embeddings)
    quality = sound_quality(waveform, encoder.audio_spec.rate_hz)
    return EmbeddedSample(None, vector, start_s, end_s, quality, bird, features)


def pool_samples(samples: Iterable[EmbeddedSample]) -> EmbeddedSample:
    """Pool the samples of one file into one, in bounded memory.

    Returns:
        The unit vector along the sum of the vectors, the mean quality, and the time from the first
        start to the last end, with the clearest bird class: background when all samples are.

    Raises:
        InputError: When there is no sample.
    """
    total: Vector | None = None
    quality, count = 0.0, 0
    bird: Figure | None = None
    first = last = NO_SAMPLE
    for last in samples:
        assert last.vector is not None  # samples of files are embedded without BirdGate.DROP
        first, bird = (last, last.bird) if total is None else (first, clearest(bird, last.bird))
        total = last.vector if total is None else np.asarray(total + last.vector, np.float32)
        quality, count = quality + last.quality, count + 1
    if total is None:
        raise InputError("no window to pool; expected at least one")
    vector = unit(total)
    seen = last.image is not None
    return EmbeddedSample(
        vector if seen else None,
        None if seen else vector,
        first.start_s,
        last.end_s,
        quality / count,
        bird,
    )
