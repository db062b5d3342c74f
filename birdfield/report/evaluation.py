"""What an evaluation hands to the report: everything that its JSON form is too small for."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from birdfield.evaluate.pairs import Embedded, draw_pairs
from birdfield.evaluate.scores import Scored, Scores
from birdfield.evaluate.unknown import Separation
from birdfield.model.gallery import Gallery
from birdfield.model.sense import SENSES, Sense
from birdfield.recognise.decide import log_softmax


@dataclass(frozen=True)
class Evaluation:
    """What one evaluation leaves to its report.

    Attributes:
        figures: In the JSON form of `birdfield.evaluate.report`.
        scored: What the figures were computed from.
        images: The photographs in the species space: fused, with no sound.
        audio: The recordings in the species space: fused, with no picture.
        image_paths: The file of each row of `images`.
        audio_paths: The file of each row of `audio`.
        gallery: What they were compared with.
        command: What was typed.
        manifest: Of the bundle, or the summary of the run; may be empty.
        problems: A sentence for each file that was left out.
        separations: The scores behind the figures "unknown" and "no_bird", by sense; what was
            not measured is not in it.
        seed: Of the pairing.
    """

    figures: Mapping[str, Any]
    scored: Scored
    images: Embedded
    audio: Embedded
    image_paths: tuple[Path, ...]
    audio_paths: tuple[Path, ...]
    gallery: Gallery
    command: str
    manifest: Mapping[str, Any] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    separations: Mapping[str, Mapping[Sense, Separation]] = field(default_factory=dict)
    seed: int = 0

    @cached_property
    def pairs(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Rows of `images` and of `audio` behind the samples of `scored.both`, int64 [P] each."""
        return draw_pairs(self.images, self.audio, self.seed)

    def scores(self, sense: Sense) -> Scores:
        """Return the scores by one of SENSES."""
        return {
            Sense.IMAGE: self.scored.image,
            Sense.AUDIO: self.scored.audio,
            Sense.BOTH: self.scored.both,
        }[sense]

    def answers(self, sense: Sense) -> NDArray[np.int64]:
        """Return the nearest species of each sample, accepted or not, int64 [N]."""
        return np.asarray(self.scores(sense).similarities.argmax(axis=1), np.int64)

    def probabilities(self, sense: Sense) -> NDArray[np.float64]:
        """Return the probability of every species, float64 [N, S], as answers state it."""
        temperature = self.gallery.calibration.temperature[SENSES.index(sense)]
        return np.exp(log_softmax(self.scores(sense).similarities / temperature))

    def measured(self) -> tuple[Sense, ...]:
        """List the senses that there were test files of."""
        return tuple(sense for sense in SENSES if len(self.scores(sense).labels))
