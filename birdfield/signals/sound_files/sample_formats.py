"""Sample formats: what the headers of WAV, W64 and AIFF files state of their samples."""

import struct
from typing import Literal

from birdfield.signals.sound_files.part import RawFormat

PCM, FLOAT, ALAW, ULAW, EXTENSIBLE = 1, 3, 6, 7, 0xFFFE  # format tags of WAV
WAV_SUBTYPES = {
    (PCM, 1): "PCM_U8",
    (PCM, 2): "PCM_16",
    (PCM, 3): "PCM_24",
    (PCM, 4): "PCM_32",
    (FLOAT, 4): "FLOAT",
    (FLOAT, 8): "DOUBLE",
    (ALAW, 1): "ALAW",
    (ULAW, 1): "ULAW",
}
AIFF_PCM = {1: "PCM_S8", 2: "PCM_16", 3: "PCM_24", 4: "PCM_32"}
AIFF_OTHERS = {b"fl32": ("FLOAT", 4), b"fl64": ("DOUBLE", 8), b"alaw": ("ALAW", 1)}
AIFF_OTHERS |= {b"ulaw": ("ULAW", 1)}
EXPONENT_BIAS = 16_383  # of the 80-bit floating-point number in which AIFF states its rate


def wav_format(content: bytes, order: Literal["little", "big"]) -> RawFormat | None:
    """Read the `fmt` chunk of a WAV or W64 file; return None for compressed sound."""
    if len(content) < 16:
        return None
    mark = "<" if order == "little" else ">"
    tag, channels, rate_hz, _, frame_bytes, _ = struct.unpack(f"{mark}HHIIHH", content[:16])
    if tag == EXTENSIBLE and len(content) >= 26:
        tag = struct.unpack(f"{mark}H", content[24:26])[0]
    if not channels or not rate_hz or frame_bytes % channels:
        return None
    subtype = WAV_SUBTYPES.get((tag, frame_bytes // channels))
    return RawFormat(rate_hz, channels, subtype, order.upper(), frame_bytes) if subtype else None


def aiff_format(content: bytes) -> RawFormat | None:
    """Read the `COMM` chunk of an AIFF or AIFC file; return None for compressed sound."""
    if len(content) < 18:
        return None
    channels, _, bits, exponent, mantissa = struct.unpack(">HIHHQ", content[:18])
    compression = content[18:22].lower()
    if exponent > EXPONENT_BIAS + 32 or not channels:
        return None
    rate_hz = int(mantissa * 2.0 ** (exponent - EXPONENT_BIAS - 63))
    endian = "LITTLE" if compression == b"sowt" else "BIG"
    if compression in (b"", b"none", b"twos", b"sowt", b"in24", b"in32"):
        width = (bits + 7) // 8
        subtype = AIFF_PCM.get(width)
    else:
        subtype, width = AIFF_OTHERS.get(compression, (None, 0))
    if subtype is None or not rate_hz:
        return None
    return RawFormat(rate_hz, channels, subtype, endian, channels * width)
