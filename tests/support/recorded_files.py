"""Recorded files: sounds and photographs that state when they were recorded, made byte by byte."""

import struct
from pathlib import Path

import cv2
import numpy as np
import soundfile

AUDIOMOTH = (
    "Recorded at 05:10:00 12/05/2026 ({zone}) by AudioMoth 24F319055FDF2F5B at medium gain while "
    "battery was 4.1V and temperature was 12.3C."
)
GUANO = "GUANO|Version: 1.0\nMake: Wildlife Acoustics\nTimestamp: {time}\nNote: a jay\n"


def chunk(name: bytes, content: bytes) -> bytes:
    """Return a RIFF chunk, padded to an even length."""
    return name + struct.pack("<I", len(content)) + content + bytes(len(content) % 2)


def info(**tags: str) -> bytes:
    """Return a LIST chunk of tags such as ICMT."""
    return chunk(
        b"LIST",
        b"INFO" + b"".join(chunk(name.encode(), text.encode()) for name, text in tags.items()),
    )


def wamd(time: str) -> bytes:
    """Return a chunk of a Song Meter: a version, a model, a prefix and a time, each with an id."""
    fields = ((0, b"\x01\x00"), (1, b"SM4"), (4, b"S4A0"), (5, time.encode()))
    return chunk(
        b"wamd", b"".join(struct.pack("<HI", key, len(text)) + text for key, text in fields)
    )


def bext(day: str, clock: str) -> bytes:
    """Return a Broadcast Wave chunk: 256, 32 and 32 bytes of text before the date."""
    return chunk(b"bext", bytes(320) + f"{day}{clock}".encode() + bytes(260))


def write_wav(path: Path, before: bytes = b"", behind: bytes = b"", length_s: float = 1.0) -> Path:
    """Write a WAV file of noise with chunks before and behind the sound."""
    samples = np.random.default_rng(0).normal(0, 3000, round(length_s * 8000)).astype("<i2")
    sound = chunk(b"fmt ", struct.pack("<HHIIHH", 1, 1, 8000, 16_000, 2, 16))
    body = b"WAVE" + sound + before + chunk(b"data", samples.tobytes()) + behind
    path.write_bytes(b"RIFF" + struct.pack("<I", len(body)) + body)
    assert soundfile.info(path).frames == len(samples)
    return path


def exif(time: str, offset: str | None = None, order: str = "<") -> bytes:
    """Return a TIFF structure whose Exif directory has DateTimeOriginal and perhaps its offset.

    The first directory, at 8, has 1 entry (18 bytes), so that the Exif directory is at 26, and
    its texts are behind its entries.
    """
    mark = b"II*\0" if order == "<" else b"MM\0*"
    texts = {0x9003: time.encode() + b"\0"}
    if offset is not None:
        texts[0x9011] = offset.encode() + b"\0"
    place, entries, behind = 26 + 2 + 12 * len(texts) + 4, b"", b""
    for tag, text in texts.items():
        entries += struct.pack(f"{order}HHII", tag, 2, len(text), place + len(behind))
        behind += text
    first = struct.pack(f"{order}HHHIII", 1, 0x8769, 4, 1, 26, 0)
    directory = struct.pack(f"{order}H", len(texts)) + entries + bytes(4)
    return mark + struct.pack(f"{order}I", 8) + first + directory + behind


def write_photograph(path: Path, tags: bytes) -> Path:
    """Write a JPEG, PNG or WebP picture with a TIFF structure where each format has it."""
    noise = np.random.default_rng(1).integers(0, 255, (64, 64, 3)).astype(np.uint8)
    data = cv2.imencode(path.suffix, noise)[1].tobytes()
    if path.suffix == ".jpg":
        segment = b"Exif\0\0" + tags
        data = data[:2] + b"\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment + data[2:]
    elif path.suffix == ".png":
        end = data.rindex(b"IEND") - 4
        data = data[:end] + struct.pack(">I", len(tags)) + b"eXIf" + tags + bytes(4) + data[end:]
    else:
        data += chunk(b"EXIF", tags)
    path.write_bytes(data)
    return path
