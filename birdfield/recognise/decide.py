"""From an embedding to an answer: the nearest species, or an explicit *unknown*."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from birdfield.errors import InputError
from birdfield.model.encoder import Encoder, Vector
from birdfield.model.gallery import Gallery, margin_over_unknown
from birdfield.model.sense import SENSES, Sense

TOP = 3  # species that an answer lists


@dataclass(frozen=True)
class Decision:
    """One answer.

    Attributes:
        species: The label, or None when the answer is *unknown*.
        score: The probability of the nearest species among the gallery's, 0..1.
        similarity: Its cosine, -1..1; less, where the gallery does not expect the species.
        margin: How much nearer it is than the second, in cosine.
        senses: What was used: ("image",), ("audio",) or ("image", "audio").
        top: The nearest three species with their probabilities.
        agreement: "agree" when each sense alone is nearest to one and the same species,
            "disagree" when not, "single" when there was one sense only.
        image_quality: Of the picture, 0..1; None when there was none.
        audio_quality: Of the sound, likewise.
        margin_over_unknown: By `gallery.margin_over_unknown`; below 0 the answer is *unknown*.
    """

    species: str | None
    score: float
    similarity: float
    margin: float
    senses: tuple[Sense, ...]
    top: tuple[tuple[str, float], ...]
    agreement: str
    image_quality: float | None
    audio_quality: float | None
    margin_over_unknown: float = 0.0

    @property
    def unknown(self) -> bool:
        """Whether no species of the gallery is near enough."""
        return self.species is None


def sense_of(image: object | None, audio: object | None) -> Sense:
    """Name what is there: "image", "audio" or "both"."""
    return (
        Sense.BOTH
        if image is not None and audio is not None
        else (Sense.IMAGE if image is not None else Sense.AUDIO)
    )


def log_softmax(logits: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return log-probabilities along the last axis."""
    shifted = logits.astype(np.float64) - logits.max(axis=-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True)))


def decide(
    encoder: Encoder,
    gallery: Gallery,
    image: Vector | None,
    audio: Vector | None,
    image_quality: float = 1.0,
    audio_quality: float = 1.0,
    background: bool = False,
) -> Decision:
    """Answer for what was seen, heard or both.

    Args:
        encoder: The model that made the vectors and the gallery.
        gallery: At least one species.
        image: The image tower's unit vector [128], or None.
        audio: The audio tower's unit vector [128], or None; not both None.
        image_quality: Of the picture, 0..1, by `birdfield.signal_quality`; told, not weighed.
        audio_quality: Of the sound.
        background: Whether the sound holds no bird by its classes: by sound alone it is *unknown*.

    Raises:
        InputError: When the gallery is empty.
    """
    if not gallery.species:
        raise InputError(
            'the model knows no species; enrol one: birdfield enrol MODEL "Species name" FILES...'
        )
    sense = sense_of(image, audio)
    fused = encoder.fuse(image, audio)[None]
    rows = gallery.similarities(fused, sense)
    temperature = gallery.calibration.temperature[SENSES.index(sense)]
    if gallery.log_prior is not None:
        # Bayes: the softmax below is then the posterior, and who is unexpected must come nearer.
        rows = (rows + temperature * gallery.log_prior).astype(np.float32)
    similarities = rows[0]
    probabilities = np.exp(log_softmax(similarities / temperature))
    order = np.argsort(-similarities, kind="stable")[: max(TOP, 2)]
    best = int(order[0])
    similarity = float(similarities[best])
    surely = float(
        margin_over_unknown(rows, gallery.background_similarity(fused, sense), gallery, sense)[0]
    )
    known = surely >= 0 and not (background and sense == Sense.AUDIO)
    return Decision(
        gallery.labels[best] if known else None,
        float(probabilities[best]),
        min(similarity, 1.0),  # to a prototype longer than 1 it may be more
        similarity - float(similarities[order[1]]) if len(order) > 1 else similarity + 1.0,
        (Sense.IMAGE, Sense.AUDIO) if sense == Sense.BOTH else (sense,),
        tuple((gallery.labels[row], float(probabilities[row])) for row in order[:TOP]),
        _agreement(encoder, gallery, image, audio),
        None if image is None else image_quality,
        None if audio is None else audio_quality,
        surely,
    )


def _agreement(
    encoder: Encoder, gallery: Gallery, image: Vector | None, audio: Vector | None
) -> str:
    if image is None or audio is None:
        return "single"
    seen = gallery.similarities(encoder.fuse(image, None)[None], Sense.IMAGE).argmax()
    heard = gallery.similarities(encoder.fuse(None, audio)[None], Sense.AUDIO).argmax()
    return "agree" if seen == heard else "disagree"
