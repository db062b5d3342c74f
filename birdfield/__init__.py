"""birdfield: recognises birds by sight and by sound, on a Raspberry Pi, offline."""

import os

__version__ = "0.2.0"

# OpenCV reads these when it is loaded, so they are set before any module can load it.
MAX_PIXELS = 100_000_000  # a 100-megapixel photograph; a larger one is refused before decoding
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(MAX_PIXELS))
os.environ.setdefault("OPENCV_LOG_LEVEL", "ERROR")
