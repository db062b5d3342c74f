"""Evaluation: the data of a report, of which its JSON form holds only the figures."""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from birdfield.evaluate.evaluation import Separations
from birdfield.evaluate.figures import Figures
from birdfield.evaluate.pairs import LabelledEmbeddings, Pairs, draw_pairs
from birdfield.evaluate.scores import EvaluationScores
from birdfield.model.gallery import Gallery
from birdfield.model.sense import SENSES, Sense
from birdfield.recognise.decide import log_softmax
from birdfield.report.summary import ModelSummary


@dataclass(frozen=True)
class Evaluation:
    """The data of a report.

    Attributes:
        figures: All figures.
        scores: The scores behind the figures.
        images: The photographs in the species space: fused without a sound.
        audio: The recordings in the species space: fused without a picture.
        image_paths: The file behind each row of `images`.
        audio_paths: The file behind each row of `audio`.
        gallery: The gallery of the model.
        command: The command line.
        model: Facts about the model.
        problems: A sentence for each test file that cannot be used.
        unknown: The margins behind `figures.unknown`, by sense.
        background: The margins behind `figures.background`, by sense.
        seed: The seed of the pairing.
    """

    figures: Figures
    scores: EvaluationScores
    images: LabelledEmbeddings
    audio: LabelledEmbeddings
    image_paths: tuple[Path, ...]
    audio_paths: tuple[Path, ...]
    gallery: Gallery
    command: str
    model: ModelSummary = field(default_factory=ModelSummary)
    problems: tuple[str, ...] = ()
    unknown: Separations = field(default_factory=dict)
    background: Separations = field(default_factory=dict)
    seed: int = 0

    @cached_property
    def pairs(self) -> Pairs:
        """The rows of `images` and `audio` behind the samples of `scores.both`."""
        return draw_pairs(self.images, self.audio, self.seed)

    def probabilities(self, sense: Sense) -> NDArray[np.float64]:
        """Return the probability of each species, float64 [N, S], as answers state it."""
        temperature = self.gallery.calibration.temperature[SENSES.index(sense)]
        return np.exp(log_softmax(self.scores.by_sense(sense).similarities / temperature))

    def measured(self) -> tuple[Sense, ...]:
        """Return the senses that have test files."""
        return tuple(sense for sense in SENSES if len(self.scores.by_sense(sense).labels))
