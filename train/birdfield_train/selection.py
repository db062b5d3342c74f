"""Selection: the choice of epochs and gain by the correct answers in held-out folds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from birdfield.evaluate.scores import EvaluationScores
from birdfield.model.sense import SENSES, Sense
from birdfield_train.samples import FOLDS

UNTESTED_GAIN = 0.3  # when no fold holds a photograph and a recording of one species

Option = tuple[int, float]  # epochs, gain
Correct = Mapping[Sense, NDArray[np.bool_]]  # by SENSES, of each sample of a fold


@dataclass(frozen=True)
class Grid:
    """The options that cross-validation compares.

    Attributes:
        folds: Number of folds.
        epochs: Numbers of epochs, ascending.
        gains: Weights of sound in the fusion, ascending.
    """

    folds: int = FOLDS
    epochs: tuple[int, ...] = (1, 2, 4, 8)
    gains: tuple[float, ...] = (0.1, 0.15, 0.2, 0.3, 0.45, 0.55, 0.7, 1.0, 1.5)


def correct_answers(scored: EvaluationScores) -> Correct:
    """Return whether each sample's answer is correct, by SENSES."""
    return {sense: scored.by_sense(sense).correct for sense in SENSES}


def choose(correct: Mapping[Option, Sequence[Correct]], grid: Grid, folds: Sequence[int]) -> Option:
    """Choose the option with the most correct answers in some folds.

    The towers choose the epochs, because their answers do not depend on the gain; then the pairs
    choose the gain. Of equal options, the one with fewer epochs and less gain is chosen.

    Args:
        correct: By option, the correct answers in each fold.
        grid: The options.
        folds: The folds that are counted.
    """

    def share(option: Option, sense: Sense) -> float:
        found = np.concatenate([correct[option][fold][sense] for fold in folds])
        return float(found.mean()) if len(found) else 0.0

    def towers(epochs: int) -> float:
        option = (epochs, grid.gains[0])
        return share(option, Sense.IMAGE) + share(option, Sense.AUDIO)

    epochs = max(grid.epochs, key=towers)
    if not any(len(found[fold][Sense.BOTH]) for found in correct.values() for fold in folds):
        return epochs, UNTESTED_GAIN
    return epochs, max(grid.gains, key=lambda gain: share((epochs, gain), Sense.BOTH))


def nested_options(correct: Mapping[Option, Sequence[Correct]], grid: Grid) -> list[Option]:
    """Return for each fold the option that the other folds choose."""
    folds = range(grid.folds)
    return [choose(correct, grid, [other for other in folds if other != fold]) for fold in folds]
