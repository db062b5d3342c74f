"""Library: a model to open, identify birds with, and teach species to, from Python.

`import birdfield` loads none of this; `birdfield.open` does.
"""

import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from birdfield.errors import InputError
from birdfield.model.bundle import Bundle, load_bundle
from birdfield.model.encoder import Vector
from birdfield.model.merged_gallery import merged_gallery
from birdfield.model.sense import Sense
from birdfield.model.species import Species, clean_name
from birdfield.model.store_file import load_store
from birdfield.paths import resolve_model, thread_count
from birdfield.recognise import enrol as enrolment
from birdfield.recognise import species_edits
from birdfield.recognise.close_look import CloseLookEncoder
from birdfield.recognise.decide import Signal, decide
from birdfield.recognise.embed import (
    NO_SAMPLE,
    EmbeddedSample,
    embed_file,
    embed_frame,
    embed_recording,
    pool_samples,
    read_photograph,
    sense_from_suffix,
)
from birdfield.recognise.enrol import FileReport
from birdfield.recognise.reason import Figure, Reason
from birdfield.signals.audio import (
    MAX_RATE_HZ,
    MIN_RATE_HZ,
    Resampler,
    Waveform,
    read_blocks,
)
from birdfield.signals.image import Frame

Picture = str | Path | NDArray[np.uint8]
"""A photograph's path, or its pixels: uint8 [H, W, 3], RGB."""

Sound = str | Path | tuple[NDArray[np.float32], int]
"""A recording's path, or its samples, float32 [N], mono, -1..1, with their rate in Hz."""


@dataclass(frozen=True)
class Answer:
    """What a model answers for one bird.

    Attributes:
        species: The label of the species; None when the answer is *unknown*.
        scientific: Its scientific name, where the model knows it.
        score: The probability of the nearest species among the model's, 0..1.
        margin: How much nearer that species is than the second, in cosine.
        margin_over_unknown: How far the embedding is above the threshold, in cosine; below 0 the
            answer is *unknown*.
        senses: What the answer was made from: (Sense.IMAGE,), (Sense.AUDIO,) or both.
        agreement: "agree" when each sense alone is nearest to the same species, "disagree" when
            not, "single" when there was one sense only.
        top: The three nearest species with their probabilities.
        reason: Why the answer is *unknown*; None for a species.
        figure: The figure on which the answer hangs, with the least value of a known answer.
        start_s: Where the window starts in the recording, in seconds; None without sound.
        end_s: Where it ends.
    """

    species: str | None
    scientific: str | None
    score: float
    margin: float
    margin_over_unknown: float
    senses: tuple[Sense, ...]
    agreement: str
    top: tuple[tuple[str, float], ...]
    reason: Reason | None = None
    figure: Figure | None = None
    start_s: float | None = None
    end_s: float | None = None

    @property
    def unknown(self) -> bool:
        """Whether no species of the model is near enough."""
        return self.species is None


@dataclass(frozen=True)
class ModelInfo:
    """A summary of a model.

    Attributes:
        model_id: Of the towers and the frontend; each stored vector carries it.
        folder: The bundle.
        backbone: The image tower's base, such as "efficientnet-lite0"; None where not stated.
        frontend: What hears: "yamnet" or "birdnet".
        licences: Of the weights and the data.
    """

    model_id: str
    folder: Path
    backbone: str | None
    frontend: str
    licences: tuple[str, ...]


class Model:
    """A model with its user's species. Threads may share it: calls run one at a time."""

    def __init__(self, bundle: Bundle) -> None:
        """Load the towers and the gallery of a bundle; see `birdfield.open`."""
        self._bundle = bundle
        self._lock = threading.RLock()
        self._encoder = bundle.encoder(thread_count())
        self._read_store()

    def _read_store(self) -> None:
        self._gallery = merged_gallery(self._bundle, load_store(self._bundle), self._encoder.fuse)
        self._looker = CloseLookEncoder(self._encoder, self._gallery)

    @property
    def species(self) -> tuple[Species, ...]:
        """The species that the model answers with, by label."""
        with self._lock:
            return self._gallery.species

    @property
    def info(self) -> ModelInfo:
        """A summary of the model."""
        manifest = self._bundle.manifest
        return ModelInfo(
            self._bundle.model_id,
            self._bundle.folder,
            manifest.image_backbone,
            manifest.audio.name,
            manifest.licences,
        )

    def identify(self, image: Picture | None = None, audio: Sound | None = None) -> Answer:
        """Name one bird by a photograph, a recording, or one of each.

        A recording makes one answer: its windows are pooled.

        Raises:
            InputError: When neither is given, or one cannot be used.
        """
        with self._lock:
            seen, heard = self._embed(image, audio)
            return self._answer(seen, heard)

    def identify_file(self, path: str | Path) -> Iterator[Answer]:
        """Yield an answer for a photograph, or for each window of a recording.

        Raises:
            InputError: When the file cannot be used.
        """
        for sample in embed_file(self._looker, Path(path)):
            with self._lock:
                answer = (
                    self._answer(sample, NO_SAMPLE)
                    if sample.image is not None
                    else self._answer(NO_SAMPLE, sample)
                )
            yield answer

    def embed(self, image: Picture | None = None, audio: Sound | None = None) -> Vector:
        """Return the unit embedding, float32 [128], of a photograph, a recording or both.

        Raises:
            InputError: When neither is given, or one cannot be used.
        """
        with self._lock:
            seen, heard = self._embed(image, audio)
            return self._encoder.fuse(seen.image, heard.audio)

    def enrol(self, name: str, files: Iterable[str | Path]) -> list[FileReport]:
        """Add a species, or more samples of one, from photographs and recordings.

        Returns:
            What was found of each file.

        Raises:
            InputError: When a file cannot be used; nothing is stored then.
        """
        with self._lock:
            reports = enrolment.enrol(
                self._bundle, self._encoder, Species(clean_name(name)), [Path(f) for f in files]
            )
            self._read_store()
            return reports

    def rename(self, old: str, new: str) -> None:
        """Give a species another label.

        Raises:
            InputError: When there is no such species, or the new label is taken.
        """
        with self._lock:
            species_edits.rename_species(self._bundle, clean_name(old), clean_name(new))
            self._read_store()

    def restore(self, name: str) -> None:
        """Undo the removal of a species.

        Raises:
            InputError: When no such species is removed.
        """
        with self._lock:
            species_edits.restore_species(self._bundle, clean_name(name))
            self._read_store()

    def remove(self, name: str) -> None:
        """Remove a species from the answers; `restore` undoes it.

        Raises:
            InputError: When there is no such species.
        """
        with self._lock:
            species_edits.remove_species(self._bundle, clean_name(name))
            self._read_store()

    def _embed(
        self, image: Picture | None, audio: Sound | None
    ) -> tuple[EmbeddedSample, EmbeddedSample]:
        if image is None and audio is None:
            raise InputError("neither a picture nor a sound is given; expected at least one")
        seen = NO_SAMPLE if image is None else embed_frame(self._looker, _frame(image))
        heard = NO_SAMPLE
        if audio is not None:
            rate_hz = self._encoder.audio_spec.rate_hz
            heard = pool_samples(embed_recording(self._encoder, *_blocks(audio, rate_hz)))
        return seen, heard

    def _answer(self, seen: EmbeddedSample, heard: EmbeddedSample) -> Answer:
        signal = Signal(seen.quality, heard.quality, heard.bird)
        decision = decide(self._encoder, self._gallery, seen.image, heard.audio, signal)
        names = {entry.label: entry.scientific for entry in self._gallery.species}
        return Answer(
            decision.species,
            names[decision.species] if decision.species is not None else None,
            decision.score,
            decision.margin,
            decision.margin_over_unknown,
            decision.senses,
            decision.agreement,
            decision.top,
            decision.reason,
            decision.figure,
            heard.start_s,
            heard.end_s,
        )


def open(path: str | Path | None = None, store: str | Path | None = None) -> Model:  # noqa: A001
    """Open a model.

    Args:
        path: A bundle NAME.birdfield; None for BIRDFIELD_MODEL's, else the packaged starter.
        store: The file of the species that a user taught; None for the one beside the bundle.

    Raises:
        BirdfieldError: When there is no such model, or it cannot be used.
    """
    bundle = load_bundle(resolve_model(Path(path) if path is not None else None))
    return Model(bundle if store is None else replace(bundle, store=Path(store)))


def _frame(image: Picture) -> Frame:
    """Return a picture as OpenCV holds it, uint8 [H, W, 3] BGR."""
    if isinstance(image, str | Path):
        path = Path(image)
        if sense_from_suffix(path) != Sense.IMAGE:
            raise InputError(f"{path}: a recording; expected a photograph")
        return read_photograph(path)
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
        raise InputError(
            f"a picture of {image.dtype} {list(image.shape)}; expected uint8 [H, W, 3]"
        )
    return np.ascontiguousarray(image[:, :, ::-1])


def _blocks(audio: Sound, rate_hz: int) -> tuple[Iterable[Waveform], str]:
    """Return a sound in blocks at a rate, and its name for messages."""
    if isinstance(audio, str | Path):
        path = Path(audio)
        if sense_from_suffix(path) != Sense.AUDIO:
            raise InputError(f"{path}: a photograph; expected a recording")
        return read_blocks(path, rate_hz), str(path)
    samples, from_hz = audio
    if samples.dtype != np.float32 or samples.ndim != 1 or not np.isfinite(samples).all():
        raise InputError(
            f"a sound of {samples.dtype} {list(samples.shape)}; expected finite float32 [N], mono"
        )
    if not MIN_RATE_HZ <= from_hz <= MAX_RATE_HZ:
        raise InputError(f"a sound of {from_hz} Hz; expected {MIN_RATE_HZ:,} to {MAX_RATE_HZ:,} Hz")
    return [Resampler(from_hz, rate_hz).push(samples, last=True)], "the sound"
