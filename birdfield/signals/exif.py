"""EXIF: reads from a picture when it was taken."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from mmap import mmap
from typing import Literal

HEADER = re.compile(rb"II\*\x00|MM\x00\*")  # of the TIFF structure that holds the tags
MAX_HEADERS = 100  # that are tried: other data may look like one
MAX_ENTRIES = 1000  # of a directory
EXIF_DIRECTORY = 0x8769
ORIGINAL, DIGITIZED = 0x9003, 0x9004
OFFSETS = {ORIGINAL: 0x9011, DIGITIZED: 0x9012}  # of local time from UTC
TEXT_BYTES = 20  # of the longest text that is read, a date with a time


def taken_at(data: bytes | mmap, end_bytes: int) -> str | None:
    """Return when a picture was taken, as "YYYY:MM:DD HH:MM:SS", with "+HH:MM" where it is stated.

    JPEG, PNG, WebP, TIFF, HEIC and AVIF files hold the tags in the same structure, which is found
    by its header.

    Args:
        data: The file.
        end_bytes: How much of the beginning and of the end of the file to search for the header.
    """
    for count, place in enumerate(_headers(data, end_bytes)):
        if count == MAX_HEADERS:
            break
        order: Literal["little", "big"] = "little" if data[place : place + 1] == b"I" else "big"
        if (time := _time_in(_Tags(data, place, order))) is not None:
            return time
    return None


def _headers(data: bytes | mmap, end_bytes: int) -> Iterator[int]:
    rest = max(end_bytes, len(data) - end_bytes)
    for first, end in ((0, end_bytes), (rest, len(data))):
        for header in HEADER.finditer(data, first, end):
            yield header.start()


def _time_in(tags: "_Tags") -> str | None:
    entry = dict(tags.entries(tags.number(4, 4))).get(EXIF_DIRECTORY)
    if entry is None:
        return None
    found = dict(tags.entries(tags.number(entry + 8, 4)))
    for tag, offset in OFFSETS.items():
        if tag in found and (time := tags.text(found[tag])):
            return time + (tags.text(found[offset]) if offset in found else "")
    return None


@dataclass(frozen=True)
class _Tags:
    """A TIFF structure in a file; a number or a text beyond the end of the file is 0 or empty.

    Attributes:
        data: The file.
        base: The place of the structure, from which its own places count.
        order: The order of bytes.
    """

    data: bytes | mmap
    base: int
    order: Literal["little", "big"]

    def number(self, place: int, size: int) -> int:
        start = self.base + place
        return int.from_bytes(self.data[start : start + size], self.order)

    def entries(self, directory: int) -> Iterator[tuple[int, int]]:
        """Yield the tags of a directory, and the place of each tag's entry."""
        count = self.number(directory, 2) if directory else 0
        for index in range(min(count, MAX_ENTRIES)):
            place = directory + 2 + 12 * index
            yield self.number(place, 2), place

    def text(self, entry: int) -> str:
        """Return the text of an entry."""
        size = self.number(entry + 4, 4)
        start = self.base + (entry + 8 if size <= 4 else self.number(entry + 8, 4))
        text = self.data[start : start + min(size, TEXT_BYTES)]
        return text.partition(b"\0")[0].decode("ascii", "replace").strip()
