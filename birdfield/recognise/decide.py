"""Decision: turns tower vectors into the nearest species, or into *unknown*."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from birdfield.errors import InputError
from birdfield.model.encoder import Encoder, Vector
from birdfield.model.gallery import Gallery
from birdfield.model.sense import SENSES, Sense
from birdfield.recognise.judgement import Match, judge
from birdfield.recognise.reason import Figure, Reason

TOP = 3  # species that a decision lists


class Agreement(StrEnum):
    """Whether picture and sound, each alone, are nearest to the same species."""

    AGREE = "agree"
    DISAGREE = "disagree"
    SINGLE = "single"  # only one sense was there


@dataclass(frozen=True)
class Signal:
    """Properties of a picture and a sound that their vectors do not hold.

    Attributes:
        image_quality: Quality of the picture, 0..1; reported, not used in the decision.
        audio_quality: Quality of the sound, 0..1, likewise.
        bird: The best score of a class of birds in the sound; below the least one, sound alone is
            *unknown*. None where it decides nothing.
    """

    image_quality: float = 1.0
    audio_quality: float = 1.0
    bird: Figure | None = None


PERFECT_SIGNAL = Signal()


@dataclass(frozen=True)
class Decision:
    """The answer of a model for a picture, a sound or both.

    Attributes:
        species: Label of the nearest species, or None for *unknown*.
        score: Probability of the nearest species among all of the gallery, 0..1.
        similarity: Cosine to the nearest species, -1..1, lowered by the gallery's `log_prior`.
        margin: Similarity of the nearest species less that of the second.
        senses: Senses used: (IMAGE,), (AUDIO,) or (IMAGE, AUDIO).
        top: Labels and probabilities of the nearest TOP species.
        agreement: Whether the two senses agree.
        image_quality: Quality of the picture, 0..1; None without a picture.
        audio_quality: Quality of the sound, 0..1; None without a sound.
        margin_over_unknown: Result of `gallery.margin_over_unknown`; below 0 means *unknown*.
        reason: Why the answer is *unknown*; None for a species.
        refused: Label of the species that would be the answer without the reason; None for a
            species, and where none is near enough.
        figure: The figure on which the decision hangs; None where a list of the user decides.
    """

    species: str | None
    score: float
    similarity: float
    margin: float
    senses: tuple[Sense, ...]
    top: tuple[tuple[str, float], ...]
    agreement: Agreement
    image_quality: float | None
    audio_quality: float | None
    margin_over_unknown: float = 0.0
    reason: Reason | None = None
    refused: str | None = None
    figure: Figure | None = None

    @property
    def unknown(self) -> bool:
        """Whether no species of the gallery is near enough."""
        return self.species is None


def combined_sense(image: object | None, audio: object | None) -> Sense:
    """Return IMAGE, AUDIO or BOTH, by which of the two is not None."""
    if image is not None and audio is not None:
        return Sense.BOTH
    return Sense.IMAGE if image is not None else Sense.AUDIO


def log_softmax(logits: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return log-probabilities along the last axis."""
    shifted = logits.astype(np.float64) - logits.max(axis=-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True)))


def decide(
    encoder: Encoder,
    gallery: Gallery,
    image: Vector | None,
    audio: Vector | None,
    signal: Signal = PERFECT_SIGNAL,
) -> Decision:
    """Find the nearest species, and decide whether it is near enough.

    Args:
        encoder: The model that made the vectors and the gallery.
        gallery: At least one species.
        image: Unit vector [128] of the image tower, or None.
        audio: Unit vector [128] of the audio tower, or None; not both None.
        signal: Qualities of the picture and the sound.

    Raises:
        InputError: When the gallery is empty.
    """
    if not gallery.species:
        raise InputError("the model has no species; enrol one first")
    sense = combined_sense(image, audio)
    fused = encoder.fuse(image, audio)[None]
    temperature = gallery.calibration.temperature[SENSES.index(sense)]
    plain = gallery.similarities(fused, sense)[0]
    similarities = _with_prior(plain, gallery, temperature)
    background = float(gallery.background_similarity(fused, sense)[0])
    match = Match(gallery, sense, plain, similarities, background)
    judgement = judge(match, signal.bird)
    probabilities = np.exp(log_softmax(similarities / temperature))
    order = np.argsort(-similarities, kind="stable")[: max(TOP, 2)]
    best, similarity = int(order[0]), float(similarities[order[0]])
    return Decision(
        species=None if judgement.reason else gallery.labels[best],
        score=float(probabilities[best]),
        similarity=min(similarity, 1.0),  # more than 1 for a prototype that is longer than 1
        margin=similarity - float(similarities[order[1]]) if len(order) > 1 else similarity + 1.0,
        senses=(Sense.IMAGE, Sense.AUDIO) if sense == Sense.BOTH else (sense,),
        top=tuple((gallery.labels[row], float(probabilities[row])) for row in order[:TOP]),
        agreement=_agreement(encoder, gallery, image, audio),
        image_quality=None if image is None else signal.image_quality,
        audio_quality=None if audio is None else signal.audio_quality,
        margin_over_unknown=match.figure(best, similarities).margin,
        reason=judgement.reason,
        refused=None if judgement.refused is None else gallery.labels[judgement.refused],
        figure=judgement.figure,
    )


def _with_prior(
    similarities: NDArray[np.float32], gallery: Gallery, temperature: float
) -> NDArray[np.float32]:
    """Add the logarithm of the prior, so that the softmax yields Bayes' posterior.

    A species that is not expected must also be nearer to pass its threshold.
    """
    if gallery.log_prior is None:
        return similarities
    return (similarities + temperature * gallery.log_prior).astype(np.float32)


def _agreement(
    encoder: Encoder, gallery: Gallery, image: Vector | None, audio: Vector | None
) -> Agreement:
    if image is None or audio is None:
        return Agreement.SINGLE
    by_image = gallery.similarities(encoder.fuse(image, None)[None], Sense.IMAGE).argmax()
    by_audio = gallery.similarities(encoder.fuse(None, audio)[None], Sense.AUDIO).argmax()
    return Agreement.AGREE if by_image == by_audio else Agreement.DISAGREE
