"""Worst mistakes: the wrong answers with the highest scores."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from birdfield.model.sense import Sense
from birdfield.report.evaluation import Evaluation
from birdfield.report.media import picture_uri, sound_uri, spectrogram_uri

MAX_MISTAKES = 6  # of each sense


@dataclass(frozen=True)
class Mistake:
    """A wrong answer and its files.

    Attributes:
        truth: The true species.
        answer: The nearest species.
        score: The probability of the answer, 0..1.
        truth_score: The probability of the true species, 0..1.
        truth_rank: The rank of the true species; 2 follows the answer.
        accepted: Whether the model gave the answer; else it answered *unknown*.
        picture: A `data:` URI; None without a photograph.
        spectrogram: A `data:` URI and its length in seconds; None without a recording.
        sound: A `data:` URI of the recording to play; None without a recording.
        files: The names of the files, with their folder.
    """

    truth: str
    answer: str
    score: float
    truth_score: float
    truth_rank: int
    accepted: bool
    picture: str | None
    spectrogram: tuple[str, float] | None
    sound: str | None
    files: tuple[str, ...]


def worst_mistakes(evaluation: Evaluation, sense: Sense) -> list[Mistake]:
    """Return the wrong answers with the highest scores; each file appears once."""
    scores = evaluation.scores.by_sense(sense)
    probabilities = evaluation.probabilities(sense)
    wrong = np.flatnonzero(~scores.correct)
    shown: set[Path] = set()
    mistakes: list[Mistake] = []
    for row in wrong[np.argsort(-probabilities[wrong].max(axis=1, initial=0), kind="stable")]:
        image, audio = _files(evaluation, sense, int(row))
        files = {path for path in (image, audio) if path is not None}
        if files & shown:
            continue
        shown |= files
        truth = scores.labels[row]
        own = float(probabilities[row, truth])
        mistakes.append(
            Mistake(
                evaluation.gallery.labels[truth],
                evaluation.gallery.labels[scores.answers[row]],
                float(probabilities[row].max()),
                own,
                1 + int((probabilities[row] > own).sum()),
                bool(scores.accepted[row]),
                picture_uri(image) if image else None,
                spectrogram_uri(audio) if audio else None,
                sound_uri(audio) if audio else None,
                tuple(f"{path.parent.name}/{path.name}" for path in (image, audio) if path),
            )
        )
        if len(mistakes) == MAX_MISTAKES:
            break
    return mistakes


def _files(evaluation: Evaluation, sense: Sense, row: int) -> tuple[Path | None, Path | None]:
    if sense == Sense.IMAGE:
        return evaluation.image_paths[row], None
    if sense == Sense.AUDIO:
        return None, evaluation.audio_paths[row]
    pairs = evaluation.pairs
    return evaluation.image_paths[pairs.images[row]], evaluation.audio_paths[pairs.audio[row]]
