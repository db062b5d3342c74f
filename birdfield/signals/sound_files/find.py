"""Finding: chooses by the first bytes of a sound file how to find the sound in it."""

from typing import BinaryIO

from birdfield.signals.sound_files.chunks import W64_RIFF, find_in_chunks
from birdfield.signals.sound_files.flac_streams import find_flac_streams
from birdfield.signals.sound_files.mp3_frames import find_mp3_frames
from birdfield.signals.sound_files.ogg_links import find_ogg_links
from birdfield.signals.sound_files.part import SoundPart

CHUNKED = (b"RIFF", b"RIFX", b"RF64", b"BW64", b"FORM", W64_RIFF[:4])


def find_parts(stream: BinaryIO, size: int) -> tuple[SoundPart, ...]:
    """Find the sound in a file up to its end, whatever its header states.

    Args:
        stream: The file.
        size: Its bytes.

    Returns:
        At least one part: the whole file, where the sound is of no format known here.
    """
    stream.seek(0)
    mark = stream.read(4)
    parts: tuple[SoundPart, ...] = ()
    if mark in CHUNKED:
        parts = find_in_chunks(stream, size)
    elif mark == b"OggS":
        parts = find_ogg_links(stream, size)
    elif mark == b"fLaC":
        parts = find_flac_streams(stream, size)
    elif mark[:3] == b"ID3" or mark[:1] == b"\xff":
        parts = find_flac_streams(stream, size) or find_mp3_frames(stream, size)
    return parts or (SoundPart((range(size),)),)
