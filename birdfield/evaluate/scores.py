"""Scores: compares test files with a gallery, by image, audio and both."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from birdfield.evaluate.metrics import retrieval
from birdfield.evaluate.pairs import LabelledEmbeddings, draw_pairs, fuse_senses
from birdfield.model.calibration import Calibration
from birdfield.model.encoder import Vectors
from birdfield.model.gallery import Gallery, margin_over_unknown
from birdfield.model.prototypes import Fuse
from birdfield.model.sense import SENSES, Sense
from birdfield.recognise.decide import log_softmax


@dataclass(frozen=True)
class SenseScores:
    """The similarities of N samples to all S species of the gallery, and the true species.

    Attributes:
        similarities: float32 [N, S].
        labels: int64 [N].
        units: int64 [N] each: the photographs and recordings behind the samples.
        recall: float64 [N], recall@1, 0 or 1; NaN where no other sample has the species.
        precision: float64 [N], average precision at R, 0..1; NaN as for `recall`.
        accepted: bool [N], whether the nearest species passes its threshold.
        probabilities: float64 [N], 0..1, of the nearest species: the score of the answer.
        background_similarities: float32 [N], the similarity to background.
    """

    similarities: NDArray[np.float32]
    labels: NDArray[np.int64]
    units: tuple[NDArray[np.int64], ...]
    recall: NDArray[np.float64]
    precision: NDArray[np.float64]
    accepted: NDArray[np.bool_]
    probabilities: NDArray[np.float64]
    background_similarities: NDArray[np.float32]

    @property
    def answers(self) -> NDArray[np.int64]:
        """The nearest species of each sample, accepted or not, int64 [N]."""
        return np.asarray(self.similarities.argmax(axis=1), np.int64)

    @property
    def correct(self) -> NDArray[np.bool_]:
        """Whether the nearest species is the true one, bool [N]."""
        return np.asarray(self.answers == self.labels)


@dataclass(frozen=True)
class EvaluationScores:
    """The scores of one evaluation, by sense.

    Attributes:
        image: The photographs.
        audio: The recordings.
        both: Pairs of the two.
        pairs_by_image: float32 [P, S], the similarities of the pairs by their photographs alone.
        pairs_by_audio: float32 [P, S], by their recordings alone.
        gallery: The gallery; of several folds, the first fold's.
    """

    image: SenseScores
    audio: SenseScores
    both: SenseScores
    pairs_by_image: NDArray[np.float32]
    pairs_by_audio: NDArray[np.float32]
    gallery: Gallery

    def by_sense(self, sense: Sense) -> SenseScores:
        """Return the scores of a sense."""
        return {Sense.IMAGE: self.image, Sense.AUDIO: self.audio, Sense.BOTH: self.both}[sense]

    def margins(self, sense: Sense) -> NDArray[np.float32]:
        """Return the margin over unknown of each sample, float32 [N]."""
        scores = self.by_sense(sense)
        return margin_over_unknown(
            scores.similarities, scores.background_similarities, self.gallery, sense
        )

    def with_calibration(
        self, calibration: Calibration, thresholds: NDArray[np.float32]
    ) -> "EvaluationScores":
        """Return the same similarities with another calibration and thresholds [S, 3]."""
        gallery = replace(self.gallery, calibration=calibration, thresholds=thresholds)
        changed = replace(self, gallery=gallery)
        image, audio, both = (
            replace(
                scores,
                accepted=changed.margins(sense) >= 0,
                probabilities=_probabilities(scores.similarities, gallery, sense),
            )
            for sense, scores in zip(SENSES, (self.image, self.audio, self.both), strict=True)
        )
        return replace(changed, image=image, audio=audio, both=both)


def score(
    fuse: Fuse,
    gallery: Gallery,
    images: LabelledEmbeddings,
    audio: LabelledEmbeddings,
    seed: int = 0,
) -> EvaluationScores:
    """Compare all test files, and pairs of them, with the gallery.

    Args:
        fuse: The fusion of the model behind the embeddings and the gallery.
        gallery: The gallery; species without test files stay in it as distractors.
        images: Photographs.
        audio: Recordings.
        seed: The seed of the pairing.
    """
    pairs = draw_pairs(images, audio, seed)
    fused = fuse_senses(fuse, images.vectors, audio.vectors, pairs)
    units = {
        Sense.IMAGE: (images.recordings,),
        Sense.AUDIO: (audio.recordings,),
        Sense.BOTH: (images.recordings[pairs.images], audio.recordings[pairs.audio]),
    }
    labels = {
        Sense.IMAGE: images.labels,
        Sense.AUDIO: audio.labels,
        Sense.BOTH: images.labels[pairs.images],
    }
    seen, heard, both = (
        _score_sense(gallery, sense, fused[sense], labels[sense], units[sense]) for sense in SENSES
    )
    return EvaluationScores(
        seen,
        heard,
        both,
        seen.similarities[pairs.images],
        heard.similarities[pairs.audio],
        gallery,
    )


def _score_sense(
    gallery: Gallery,
    sense: Sense,
    vectors: Vectors,
    labels: NDArray[np.int64],
    units: tuple[NDArray[np.int64], ...],
) -> SenseScores:
    similarities = gallery.similarities(vectors, sense)
    background_similarities = gallery.background_similarity(vectors, sense)
    recall, precision = retrieval(vectors, labels, *units)
    return SenseScores(
        similarities,
        labels,
        units,
        recall,
        precision,
        margin_over_unknown(similarities, background_similarities, gallery, sense) >= 0,
        _probabilities(similarities, gallery, sense),
        background_similarities,
    )


def _probabilities(
    similarities: NDArray[np.float32], gallery: Gallery, sense: Sense
) -> NDArray[np.float64]:
    temperature = gallery.calibration.temperature[SENSES.index(sense)]
    return np.asarray(np.exp(log_softmax(similarities / temperature).max(axis=1)))


def concatenate(folds: Sequence[EvaluationScores]) -> EvaluationScores:
    """Concatenate the scores of several folds with the same species."""
    return EvaluationScores(
        _concatenate_sense([fold.image for fold in folds]),
        _concatenate_sense([fold.audio for fold in folds]),
        _concatenate_sense([fold.both for fold in folds]),
        np.concatenate([fold.pairs_by_image for fold in folds]),
        np.concatenate([fold.pairs_by_audio for fold in folds]),
        folds[0].gallery,
    )


def _concatenate_sense(folds: Sequence[SenseScores]) -> SenseScores:
    units = tuple(
        np.concatenate(parts) for parts in zip(*(fold.units for fold in folds), strict=True)
    )
    arrays = {
        field.name: np.concatenate([getattr(fold, field.name) for fold in folds])
        for field in fields(SenseScores)
        if field.name != "units"
    }
    return SenseScores(units=units, **arrays)


def late_fusion(scores: EvaluationScores, calibration: Calibration) -> NDArray[np.bool_]:
    """Answer the pairs by the weighted sum of the log-probabilities of each sense.

    Returns:
        Whether the best species is the true one, bool [P].
    """
    image_t, audio_t, _ = calibration.temperature
    seen = log_softmax(scores.pairs_by_image / image_t)
    heard = log_softmax(scores.pairs_by_audio / audio_t)
    best = (seen + calibration.late_weight * heard).argmax(axis=1)
    return np.asarray(best == scores.both.labels)
