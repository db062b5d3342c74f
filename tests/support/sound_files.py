"""Sound files made by code, whole and with headers that state a wrong length."""

import struct
from io import BytesIO

import numpy as np
import soundfile

from birdfield.signals.sound_files.mp3_frames import read_mp3_head

RATE_HZ = 16_000


def song(length_s: float = 2.0, seed: int = 0) -> np.ndarray:
    """Return noise at RATE_HZ: each of its samples differs from its neighbours."""
    count = round(length_s * RATE_HZ)
    return np.asarray(np.random.default_rng(seed).normal(0, 0.1, count), np.float32)


def encoded(samples: np.ndarray, form: str, subtype: str | None = None, **how: object) -> bytes:
    """Return a sound file at RATE_HZ."""
    buffer = BytesIO()
    soundfile.write(buffer, samples, RATE_HZ, subtype, format=form, **how)
    return buffer.getvalue()


def wav(samples: np.ndarray, size: int | None = None, behind: bytes = b"") -> bytes:
    """Return a WAV file of 16 bits whose data chunk states any size."""
    pcm = (samples * 32_767).astype("<i2").tobytes()
    size = len(pcm) if size is None else size
    fmt = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, RATE_HZ, 2 * RATE_HZ, 2, 16)
    content = b"WAVE" + fmt + b"data" + struct.pack("<I", size) + pcm + behind
    return b"RIFF" + struct.pack("<I", (size + 36) & 0xFFFFFFFF) + content


def chunk(name: bytes, content: bytes, stated: int | None = None) -> bytes:
    """Return a chunk of a WAV file, which may state more than it has."""
    size = len(content) if stated is None else stated
    return name + struct.pack("<I", size) + content


def mp3_without_length(samples: np.ndarray) -> bytes:
    """Return an MP3 of variable bit rate without the first frame, which states its length."""
    data = encoded(samples, "MP3", "MPEG_LAYER_III", bitrate_mode="VARIABLE", compression_level=0.5)
    tag = read_mp3_head(data[:4])
    assert tag is not None and b"Xing" in data[: tag.size]
    return data[tag.size :]
