"""Weak labels: chooses the windows of a recording that hold a bird."""

import logging
from collections.abc import Iterable

from birdfield.errors import InputError
from birdfield.model.encoder import Vector
from birdfield.recognise.embed import EmbeddedSample

MOSTLY_SHARE = 0.5  # of the windows: with a bird in fewer, the recording deserves a warning

log = logging.getLogger(__name__)


def bird_vectors(samples: Iterable[EmbeddedSample], name: str) -> list[Vector]:
    """Return the vectors of the windows that hold a bird, or of all windows where none does.

    The label of a recording belongs to its bird, not to the wind before and after it. Logs a
    warning when less than half of the recording holds a bird.

    Args:
        samples: The windows of a recording, or one photograph, which is always used.
        name: The name of the file in messages.

    Raises:
        InputError: When there is no sample.
    """
    birds: list[Vector] = []
    others: list[Vector] = []
    for sample in samples:
        if sample.vector is not None:
            (others if sample.background else birds).append(sample.vector)
    total = len(birds) + len(others)
    if not total:
        raise InputError(f"{name}: no window to use; expected at least one")
    if not birds:
        log.warning("%s: no bird is detected in it; check that it is the right recording", name)
    elif len(birds) < MOSTLY_SHARE * total:
        log.warning(
            "%s: only %d of its %d windows hold a bird, and are used", name, len(birds), total
        )
    return birds or others
