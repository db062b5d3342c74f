"""Scoring a gallery on photographs and recordings: by sight, by sound and by both."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from birdfield.evaluate.metrics import bootstrap_ci95, ece, mean, reliability, retrieval, rounded
from birdfield.evaluate.pairs import Embedded, draw_pairs, fuse_senses
from birdfield.model.encoder import Vectors
from birdfield.model.gallery import Calibration, Gallery, margin_over_unknown
from birdfield.model.prototypes import Fuse
from birdfield.model.sense import SENSES, Sense
from birdfield.recognise.decide import log_softmax

FORMAT = 1


@dataclass(frozen=True)
class Scores:
    """The similarities of N samples to every species of the gallery, and what is true.

    Attributes:
        similarities: float32 [N, S].
        labels: int64 [N].
        units: int64 [N] each: the photographs and recordings behind the samples.
        recall: float64 [N], recall@1, with NaN where there is nothing to find.
        precision: float64 [N], average precision at R, likewise.
        accepted: bool [N], whether the nearest species is near enough to be the answer.
        probabilities: float64 [N], 0..1, of the nearest species: the score of the answer.
        background_similarities: float32 [N], the similarity to what no bird is.
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
    def correct(self) -> NDArray[np.bool_]:
        """Whether the nearest species is the true one, bool [N]."""
        return np.asarray(self.similarities.argmax(axis=1) == self.labels)


@dataclass(frozen=True)
class Scored:
    """All that one evaluation measured; `both`, and the two beside it, are on the same pairs.

    The gallery is what all were compared with; where folds were put together, the first fold's.
    """

    image: Scores
    audio: Scores
    both: Scores
    both_image: NDArray[np.float32]
    both_audio: NDArray[np.float32]
    gallery: Gallery

    def with_calibration(
        self, calibration: Calibration, thresholds: NDArray[np.float32]
    ) -> "Scored":
        """Return the same similarities, read by another calibration and thresholds [S, 3]."""
        gallery = replace(self.gallery, calibration=calibration, thresholds=thresholds)
        image, audio, both = (
            replace(
                scores,
                accepted=margin_over_unknown(
                    scores.similarities, scores.background_similarities, gallery, sense
                )
                >= 0,
                probabilities=_probabilities(scores.similarities, gallery, sense),
            )
            for sense, scores in zip(SENSES, (self.image, self.audio, self.both), strict=True)
        )
        return replace(self, image=image, audio=audio, both=both, gallery=gallery)


def score(fuse: Fuse, gallery: Gallery, images: Embedded, audio: Embedded, seed: int = 0) -> Scored:
    """Compare every test file, and pairs of them, with the gallery.

    Args:
        fuse: Joins tower vectors; of the model that made them and the gallery.
        gallery: Species without test files stay in it as distractors.
        images: Photographs.
        audio: Recordings.
        seed: Of the pairing.
    """
    left, right = draw_pairs(images, audio, seed)
    fused = fuse_senses(fuse, images.vectors, audio.vectors, left, right)
    similarities = {sense: gallery.similarities(vectors, sense) for sense, vectors in fused.items()}
    units = {
        Sense.IMAGE: (images.recordings,),
        Sense.AUDIO: (audio.recordings,),
        Sense.BOTH: (images.recordings[left], audio.recordings[right]),
    }
    labels = {
        Sense.IMAGE: images.labels,
        Sense.AUDIO: audio.labels,
        Sense.BOTH: images.labels[left],
    }
    image, heard, both = (
        _scores(gallery, sense, fused[sense], similarities[sense], labels[sense], units[sense])
        for sense in SENSES
    )
    return Scored(
        image,
        heard,
        both,
        similarities[Sense.IMAGE][left],
        similarities[Sense.AUDIO][right],
        gallery,
    )


def _scores(
    gallery: Gallery,
    sense: Sense,
    vectors: Vectors,
    similarities: NDArray[np.float32],
    labels: NDArray[np.int64],
    units: tuple[NDArray[np.int64], ...],
) -> Scores:
    recall, precision = retrieval(vectors, labels, *units)
    background_similarities = gallery.background_similarity(vectors, sense)
    return Scores(
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


def concatenate(parts: Sequence[Scored]) -> Scored:
    """Put the scores of several folds of one set of species together."""

    def joined(scores: Sequence[Scores]) -> Scores:
        return Scores(
            np.concatenate([part.similarities for part in scores]),
            np.concatenate([part.labels for part in scores]),
            tuple(
                np.concatenate(units)
                for units in zip(*(part.units for part in scores), strict=True)
            ),
            np.concatenate([part.recall for part in scores]),
            np.concatenate([part.precision for part in scores]),
            np.concatenate([part.accepted for part in scores]),
            np.concatenate([part.probabilities for part in scores]),
            np.concatenate([part.background_similarities for part in scores]),
        )

    return Scored(
        joined([part.image for part in parts]),
        joined([part.audio for part in parts]),
        joined([part.both for part in parts]),
        np.concatenate([part.both_image for part in parts]),
        np.concatenate([part.both_audio for part in parts]),
        parts[0].gallery,
    )


def late_fusion(scored: Scored, calibration: Calibration) -> NDArray[np.bool_]:
    """Answer the pairs by the weighted sum of each sense's own log-probabilities.

    Returns:
        Whether the best species is the true one, bool [P].
    """
    seen = log_softmax(scored.both_image / calibration.temperature[0])
    heard = log_softmax(scored.both_audio / calibration.temperature[1])
    best = (seen + calibration.late_weight * heard).argmax(axis=1)
    return np.asarray(best == scored.both.labels)


def report(
    scored: Scored, model_id: str, gallery_size: int, late: NDArray[np.bool_]
) -> dict[str, Any]:
    """Put an evaluation in the documented JSON form.

    Args:
        scored: What was measured.
        model_id: Of the model.
        gallery_size: Species that could have been answered.
        late: From `late_fusion`, on the same pairs as `scored.both`.
    """
    both = _sense_report(scored.both)
    both["image_top1"] = mean(scored.both_image.argmax(axis=1) == scored.both.labels)
    both["audio_top1"] = mean(scored.both_audio.argmax(axis=1) == scored.both.labels)
    tested = np.union1d(scored.image.labels, scored.audio.labels)
    return {
        "format": FORMAT,
        "model": model_id,
        "gallery": gallery_size,
        "species": len(tested),
        Sense.IMAGE: _sense_report(scored.image),
        Sense.AUDIO: _sense_report(scored.audio),
        Sense.BOTH: both,
        "late_fusion": {"top1": mean(late), "n": len(late)},
        "ece": both["ece"],
    }


def _sense_report(scores: Scores) -> dict[str, Any]:
    bins = reliability(scores.probabilities, scores.correct)
    return {
        "top1": mean(scores.correct),
        "top1_ci95": [rounded(end) for end in bootstrap_ci95(scores.correct, *scores.units)],
        "n": len(scores.labels),
        "recall_at_1": mean(scores.recall[np.isfinite(scores.recall)]),
        "map_at_r": mean(scores.precision[np.isfinite(scores.precision)]),
        "accepted": mean(scores.accepted),
        "ece": rounded(ece(bins)),
        "reliability": [
            {"score": rounded(score), "accuracy": rounded(accuracy), "n": count}
            for score, accuracy, count in bins
        ],
    }
