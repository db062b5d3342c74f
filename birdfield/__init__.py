"""birdfield: recognises birds by sight and by sound, on a Raspberry Pi, offline."""

import os

__version__ = "0.2.0"

# OpenCV reads these variables when it loads, and FFmpeg's when it opens the first video.
MAX_PIXELS = 100_000_000  # OpenCV refuses a larger photograph before it decodes it
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(MAX_PIXELS))
os.environ.setdefault("OPENCV_LOG_LEVEL", "ERROR")
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # quiet: FFmpeg prints URLs with passwords
