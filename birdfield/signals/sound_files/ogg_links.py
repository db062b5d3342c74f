"""Ogg links: finds the streams that follow each other in one Ogg file (RFC 3533)."""

import re
from itertools import pairwise
from typing import BinaryIO

from birdfield.signals.sound_files.part import SoundPart
from birdfield.signals.sound_files.pieces import Scan

PAGE = re.compile(rb"OggS\0")
HEAD_BYTES = 27
FIRST_PAGE, LAST_PAGE = 0x02, 0x04  # flags of a stream's pages


def find_ogg_links(stream: BinaryIO, size: int) -> tuple[SoundPart, ...]:
    """Divide an Ogg file where a first page follows a page that is none.

    Args:
        stream: The file.
        size: Its bytes.
    """
    scan, place = Scan(stream), 0
    starts, before_is_first, ended = [0], True, True
    while 0 <= place < size:
        head = scan.at(place, HEAD_BYTES)
        if len(head) < HEAD_BYTES or head[:4] != b"OggS":
            place = scan.find(PAGE, place + 1, size)
            continue
        is_first = bool(head[5] & FIRST_PAGE)
        if is_first and not before_is_first:
            starts.append(place)
        before_is_first, ended = is_first, bool(head[5] & LAST_PAGE)
        place += HEAD_BYTES + head[26] + sum(scan.at(place + HEAD_BYTES, head[26]))
    *whole, last = pairwise([*starts, size])
    return (
        *(SoundPart((range(*link),)) for link in whole),
        SoundPart((range(*last),), cut=not ended),
    )
