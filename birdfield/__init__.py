"""birdfield: recognises birds by sight and by sound, on a Raspberry Pi, offline.

model = birdfield.open()
answer = model.identify(image="bird.jpg", audio="song.wav")
answer.species, answer.score, answer.senses
"""

import importlib
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from birdfield.errors import (
        BirdfieldError,
        ConfigError,
        InputError,
        MissingError,
        UsageError,
    )
    from birdfield.library import Answer, Model, ModelInfo, open
    from birdfield.model.sense import Sense

__version__ = "0.2.0"
__all__ = [
    "Answer",
    "BirdfieldError",
    "ConfigError",
    "InputError",
    "MissingError",
    "Model",
    "ModelInfo",
    "Sense",
    "UsageError",
    "open",
]

# OpenCV reads these variables when it loads, and FFmpeg's when it opens the first video.
MAX_PIXELS = 30_000_000  # OpenCV refuses to decode more of a picture whose header is not read
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(MAX_PIXELS))
os.environ.setdefault("OPENCV_LOG_LEVEL", "ERROR")
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # quiet: FFmpeg prints URLs with passwords

_LIBRARY = ("Answer", "Model", "ModelInfo", "open")
_HOMES = {"Sense": "birdfield.model.sense"} | dict.fromkeys(_LIBRARY, "birdfield.library")


def __getattr__(name: str) -> object:
    """Load a public name when it is first used: `import birdfield` stays quick."""
    if name not in __all__:
        raise AttributeError(f"module 'birdfield' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES.get(name, "birdfield.errors")), name)
    globals()[name] = value
    return value
