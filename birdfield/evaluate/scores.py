"""Scoring a gallery on photographs and recordings: by sight, by sound and by both."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from birdfield.evaluate.metrics import bootstrap_ci95, ece, reliability, retrieval
from birdfield.evaluate.table import damage_lines, stranger_lines
from birdfield.model.encoder import DIM, SENSES, Vectors
from birdfield.model.gallery import Calibration, Gallery, knownness
from birdfield.model.prototypes import Fuse
from birdfield.recognise.decide import log_softmax

FORMAT = 1
PAIRS = 20  # distinct pairs of a photograph and a recording, at most, for each species


@dataclass(frozen=True)
class Embedded:
    """One sense's test files, embedded by their tower.

    Attributes:
        vectors: float32 [N, 128], unit, one a file.
        labels: int64 [N], the species' index in the gallery.
        recordings: int64 [N], the recording, or the photograph, of each.
    """

    vectors: Vectors
    labels: NDArray[np.int64]
    recordings: NDArray[np.int64]


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
        nobird: float32 [N], the similarity to what no bird is.
    """

    similarities: NDArray[np.float32]
    labels: NDArray[np.int64]
    units: tuple[NDArray[np.int64], ...]
    recall: NDArray[np.float64]
    precision: NDArray[np.float64]
    accepted: NDArray[np.bool_]
    probabilities: NDArray[np.float64]
    nobird: NDArray[np.float32]

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

    def with_calibration(self, calibration: Calibration,
                         thresholds: NDArray[np.float32]) -> "Scored":
        """Return the same similarities, read by another calibration and thresholds [S, 3]."""
        gallery = replace(self.gallery, calibration=calibration, thresholds=thresholds)
        image, audio, both = (
            replace(scores, accepted=knownness(scores.similarities, scores.nobird, gallery,
                                               sense) >= 0,
                    probabilities=_probabilities(scores.similarities, gallery, sense))
            for sense, scores in zip(SENSES, (self.image, self.audio, self.both), strict=True))
        return replace(self, image=image, audio=audio, both=both, gallery=gallery)


def draw_pairs(images: Embedded, audio: Embedded,
               seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pair each species' photographs and recordings at random, seeded.

    Returns:
        Rows of `images` and rows of `audio`, int64 [P] each: up to PAIRS a species, no pair twice.
    """
    rng = np.random.default_rng(seed)
    left: list[int] = []
    right: list[int] = []
    for label in np.intersect1d(images.labels, audio.labels):
        seen = np.flatnonzero(images.labels == label)
        heard = np.flatnonzero(audio.labels == label)
        total = len(seen) * len(heard)
        for pair in rng.choice(total, min(PAIRS, total), replace=False):
            left.append(int(seen[pair // len(heard)]))
            right.append(int(heard[pair % len(heard)]))
    return np.array(left, np.int64), np.array(right, np.int64)


def score(fuse: Fuse, gallery: Gallery, images: Embedded, audio: Embedded,
          seed: int = 0) -> Scored:
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
    similarities = {sense: gallery.similarities(vectors, sense)
                    for sense, vectors in fused.items()}
    units = {"image": (images.recordings,), "audio": (audio.recordings,),
             "both": (images.recordings[left], audio.recordings[right])}
    labels = {"image": images.labels, "audio": audio.labels, "both": images.labels[left]}
    image, heard, both = (_scores(gallery, sense, fused[sense], similarities[sense],
                                  labels[sense], units[sense]) for sense in SENSES)
    return Scored(image, heard, both, similarities["image"][left], similarities["audio"][right],
                  gallery)


def fuse_senses(fuse: Fuse, images: Vectors, audio: Vectors, left: NDArray[np.int64],
                right: NDArray[np.int64]) -> dict[str, Vectors]:
    """Fuse photographs [N, 128], recordings [M, 128] and pairs of their rows [P], by SENSES."""
    return {"image": fuse_rows(fuse, images, None), "audio": fuse_rows(fuse, None, audio),
            "both": fuse_rows(fuse, images[left], audio[right])}


def fuse_rows(fuse: Fuse, images: Vectors | None, audio: Vectors | None) -> Vectors:
    """Fuse tower vectors row by row; one side may be None. Returns float32 [N, 128]."""
    count = len(images if images is not None else audio if audio is not None else ())
    rows = [fuse(None if images is None else images[row], None if audio is None else audio[row])
            for row in range(count)]
    return np.array(rows, np.float32).reshape(count, DIM)


def _scores(gallery: Gallery, sense: str, vectors: Vectors, similarities: NDArray[np.float32],
            labels: NDArray[np.int64], units: tuple[NDArray[np.int64], ...]) -> Scores:
    recall, precision = retrieval(vectors, labels, *units)
    nobird = gallery.nobird_similarity(vectors, sense)
    return Scores(similarities, labels, units, recall, precision,
                  knownness(similarities, nobird, gallery, sense) >= 0,
                  _probabilities(similarities, gallery, sense), nobird)


def _probabilities(similarities: NDArray[np.float32], gallery: Gallery,
                   sense: str) -> NDArray[np.float64]:
    temperature = gallery.calibration.temperature[SENSES.index(sense)]
    return np.asarray(np.exp(log_softmax(similarities / temperature).max(axis=1)))


def concatenate(parts: Sequence[Scored]) -> Scored:
    """Put the scores of several folds of one set of species together."""
    def joined(scores: Sequence[Scores]) -> Scores:
        return Scores(np.concatenate([part.similarities for part in scores]),
                      np.concatenate([part.labels for part in scores]),
                      tuple(np.concatenate(units)
                            for units in zip(*(part.units for part in scores), strict=True)),
                      np.concatenate([part.recall for part in scores]),
                      np.concatenate([part.precision for part in scores]),
                      np.concatenate([part.accepted for part in scores]),
                      np.concatenate([part.probabilities for part in scores]),
                      np.concatenate([part.nobird for part in scores]))

    return Scored(joined([part.image for part in parts]), joined([part.audio for part in parts]),
                  joined([part.both for part in parts]),
                  np.concatenate([part.both_image for part in parts]),
                  np.concatenate([part.both_audio for part in parts]), parts[0].gallery)


def late_fusion(scored: Scored, calibration: Calibration) -> NDArray[np.bool_]:
    """Answer the pairs by the weighted sum of each sense's own log-probabilities.

    Returns:
        Whether the best species is the true one, bool [P].
    """
    seen = log_softmax(scored.both_image / calibration.temperature[0])
    heard = log_softmax(scored.both_audio / calibration.temperature[1])
    best = (seen + calibration.late_weight * heard).argmax(axis=1)
    return np.asarray(best == scored.both.labels)


def report(scored: Scored, model_id: str, gallery_size: int,
           late: NDArray[np.bool_]) -> dict[str, Any]:
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
    return {"format": FORMAT, "model": model_id, "gallery": gallery_size, "species": len(tested),
            "image": _sense_report(scored.image), "audio": _sense_report(scored.audio),
            "both": both, "late_fusion": {"top1": mean(late), "n": len(late)},
            "ece": both["ece"]}


def _sense_report(scores: Scores) -> dict[str, Any]:
    bins = reliability(scores.probabilities, scores.correct)
    return {"top1": mean(scores.correct),
            "top1_ci95": [rounded(end) for end in bootstrap_ci95(scores.correct, *scores.units)],
            "n": len(scores.labels),
            "recall_at_1": mean(scores.recall[np.isfinite(scores.recall)]),
            "map_at_r": mean(scores.precision[np.isfinite(scores.precision)]),
            "accepted": mean(scores.accepted),
            "ece": rounded(ece(bins)),
            "reliability": [{"score": rounded(score), "accuracy": rounded(accuracy), "n": count}
                            for score, accuracy, count in bins]}


def mean(values: NDArray[Any]) -> float | None:
    """Return the mean, rounded; None when there is no value."""
    return rounded(float(np.mean(values))) if len(values) else None


def rounded(value: float) -> float | None:
    """Round a figure to four decimals; what is no number, as JSON has none, becomes None."""
    return round(value, 4) if np.isfinite(value) else None


def to_table(figures: dict[str, Any], senses: Sequence[str] = SENSES) -> str:
    """Write a report as a table for a person, of some SENSES."""
    lines = [f"{figures['species']} species tested, {figures['gallery']} in the gallery",
             "sense   top-1  95 % interval     n  recall@1  MAP@R  accepted    ECE"]
    for sense in senses:
        row = figures[sense]
        if not row["n"]:
            lines.append(f"{sense:6}  nothing to test")
            continue
        low, high = row["top1_ci95"]
        numbers = [row["recall_at_1"], row["map_at_r"], row["accepted"], row["ece"]]
        texts = ["    -" if number is None else f"{number:.3f}" for number in numbers]
        lines.append(f"{sense:6}  {row['top1']:.3f}  [{low:.3f}, {high:.3f}]  {row['n']:5}  "
                     f"{texts[0]:>8}  {texts[1]:>5}  {texts[2]:>8}  {texts[3]:>5}")
    both = figures["both"]
    if both["n"]:
        lines.append(f"on the same {both['n']} pairs: image {both['image_top1']:.3f}, audio "
                     f"{both['audio_top1']:.3f}, late fusion {figures['late_fusion']['top1']:.3f}")
    return "\n".join([*lines, *damage_lines(figures), *stranger_lines(figures)])
