"""The worst mistakes: wrong answers that the model was surest of."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from birdfield.model.sense import Sense
from birdfield.report.evaluation import Evaluation
from birdfield.report.media import picture_uri, spectrogram_uri

MOST = 6  # of each sense


@dataclass(frozen=True)
class Mistake:
    """A wrong answer with what it was given for.

    Attributes:
        truth: The true species.
        answer: The species that was nearest.
        score: Its probability, 0..1.
        truth_score: That of the true one.
        truth_rank: Its rank among all species; 2 is the runner-up.
        accepted: Whether the answer was given; else it was *unknown*.
        picture: A `data:` URI, or None.
        spectrogram: A `data:` URI and the seconds that it shows, or None.
        files: Their names, with the folder.
    """

    truth: str
    answer: str
    score: float
    truth_score: float
    truth_rank: int
    accepted: bool
    picture: str | None
    spectrogram: tuple[str, float] | None
    files: tuple[str, ...]


def worst_mistakes(evaluation: Evaluation, sense: Sense) -> list[Mistake]:
    """Show the surest wrong answers by one sense; a photograph or a recording comes once."""
    scores, answers = evaluation.scores(sense), evaluation.answers(sense)
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
                evaluation.gallery.labels[answers[row]],
                float(probabilities[row].max()),
                own,
                1 + int((probabilities[row] > own).sum()),
                bool(scores.accepted[row]),
                picture_uri(image) if image else None,
                spectrogram_uri(audio) if audio else None,
                tuple(f"{path.parent.name}/{path.name}" for path in (image, audio) if path),
            )
        )
        if len(mistakes) == MOST:
            break
    return mistakes


def _files(evaluation: Evaluation, sense: Sense, row: int) -> tuple[Path | None, Path | None]:
    if sense == Sense.IMAGE:
        return evaluation.image_paths[row], None
    if sense == Sense.AUDIO:
        return None, evaluation.audio_paths[row]
    left, right = evaluation.pairs
    return evaluation.image_paths[left[row]], evaluation.audio_paths[right[row]]
