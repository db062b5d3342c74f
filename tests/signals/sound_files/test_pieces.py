import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from birdfield.signals.sound_files.pieces import SCAN_BYTES, Pieces, Scan

FILE = bytes(range(200))
pieces = st.lists(
    st.binary(max_size=9)
    | st.tuples(st.integers(0, 200), st.integers(0, 200)).map(lambda span: range(*sorted(span))),
    max_size=6,
)


@given(pieces, st.integers(0, 900), st.integers(0, 300))
def test_pieces_read_as_one_file(parts: list[bytes | range], place: int, count: int) -> None:
    whole = b"".join(
        part if isinstance(part, bytes) else FILE[part.start : part.stop] for part in parts
    )
    file = io.BufferedReader(Pieces(io.BytesIO(FILE), parts))
    assert file.read() == whole
    file.seek(place)
    assert file.read(count) == whole[place : place + count]
    assert file.seek(0, io.SEEK_END) == len(whole)


def test_a_disk_that_fails_is_kept_as_the_error() -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise OSError(5, "Input/output error")

    file = Pieces(Broken(FILE), [range(9)])
    assert file.readinto(bytearray(4)) == 0
    assert file.error is not None and file.error.strerror == "Input/output error"


@pytest.mark.parametrize("place", [0, 100, SCAN_BYTES - 2, 2 * SCAN_BYTES + 5])
def test_a_pattern_is_found_across_the_pieces_that_are_read(place: int) -> None:
    data = bytes(place) + b"OggS" + bytes(100)
    scan = Scan(io.BytesIO(data))
    assert scan.find(re.compile(b"OggS"), 0, len(data)) == place
    assert scan.find(re.compile(b"OggS"), place + 1, len(data)) == -1
    assert scan.at(place, 4) == b"OggS" and scan.at(len(data), 4) == b""
