import io
import warnings
import zipfile
from collections.abc import Callable

import numpy as np
import pytest

from birdfield.arrays import dump_arrays, load_arrays
from birdfield.errors import InputError

KINDS = {"vectors": ("float32", 2), "owner": ("int32", 1)}
ARRAYS = {
    "vectors": np.arange(6, dtype=np.float32).reshape(2, 3),
    "owner": np.array([4, 5], np.int32),
}


def npy(array: np.ndarray, version: tuple[int, int] = (1, 0), pickle: bool = False) -> bytes:
    """Return an array as the content of an NPY file."""
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, version, allow_pickle=pickle)
    return buffer.getvalue()


def archive(members: list[tuple[str, bytes]], compression: int = zipfile.ZIP_STORED) -> bytes:
    """Return a ZIP file with these members, whose names are not checked."""
    buffer = io.BytesIO()
    with (
        warnings.catch_warnings(action="ignore"),  # about a duplicate name
        zipfile.ZipFile(buffer, "w", compression) as out,
    ):
        for name, content in members:
            out.writestr(name, content)
    return buffer.getvalue()


def with_vectors(content: bytes) -> bytes:
    return archive([("vectors.npy", content), ("owner.npy", npy(ARRAYS["owner"]))])


def header(shape: str, kind: str = "<f4", padding: int = 0) -> bytes:
    """Return an NPY file whose header states a shape, without data."""
    text = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}"
    text = text + " " * padding + "\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


def test_loaded_arrays_equal_the_dumped_ones() -> None:
    loaded = load_arrays(dump_arrays(ARRAYS), KINDS, "a file")
    for name, array in ARRAYS.items():
        copy = loaded.get(name, array.dtype.type)
        assert copy.dtype == array.dtype and np.array_equal(copy, array)
        assert copy.flags.writeable and copy.flags.owndata


def test_an_array_is_not_read_as_another_type() -> None:
    loaded = load_arrays(dump_arrays(ARRAYS), KINDS, "a file")
    with pytest.raises(TypeError, match="array owner is int32, asked for as float32"):
        loaded.get("owner", np.float32)


def test_arrays_without_rows_are_loaded() -> None:
    empty = {"vectors": np.zeros((0, 3), np.float32), "owner": np.zeros(0, np.int32)}
    loaded = load_arrays(dump_arrays(empty), KINDS, "a file")
    assert loaded.get("vectors", np.float32).shape == (0, 3)


HOSTILE: dict[str, Callable[[], bytes]] = {
    "empty": lambda: b"",
    "no archive": lambda: b"PK\x03\x04 without the rest",
    "an array is missing": lambda: archive([("vectors.npy", npy(ARRAYS["vectors"]))]),
    "an additional array": lambda: dump_arrays({**ARRAYS, "more": ARRAYS["owner"]}),
    "a name twice": lambda: archive([("vectors.npy", npy(ARRAYS["vectors"]))] * 2),
    "a name that climbs": lambda: archive(
        [("../vectors.npy", npy(ARRAYS["vectors"])), ("owner.npy", npy(ARRAYS["owner"]))]
    ),
    "an absolute name": lambda: archive(
        [("/etc/vectors.npy", npy(ARRAYS["vectors"])), ("owner.npy", npy(ARRAYS["owner"]))]
    ),
    "another type": lambda: with_vectors(npy(ARRAYS["vectors"].astype(np.float64))),
    "big-endian": lambda: with_vectors(npy(ARRAYS["vectors"].astype(">f4"))),
    "other dimensions": lambda: with_vectors(npy(ARRAYS["vectors"][0])),
    "columns first": lambda: with_vectors(npy(np.asfortranarray(ARRAYS["vectors"]))),
    "a pickle": lambda: with_vectors(npy(np.array([["a", 1]], object), pickle=True)),
    "fields": lambda: with_vectors(npy(np.zeros((1, 1), [("a", "f4")]))),
    "NPY version 2": lambda: with_vectors(npy(ARRAYS["vectors"], (2, 0))),
    "NPY version 9": lambda: with_vectors(b"\x93NUMPY\x09\x00" + bytes(100)),
    "no NPY": lambda: with_vectors(b"nothing of the kind"),
    "a huge header": lambda: with_vectors(header("(2, 3)", padding=20_000)),
    "a huge shape": lambda: with_vectors(header("(1000000000000, 1000000000000)")),
    "an overflowing shape": lambda: with_vectors(header("(4611686018427387904, 4)")),
    "a negative shape": lambda: with_vectors(header("(-2, -3)") + bytes(24)),
    "a shape of words": lambda: with_vectors(header("('a', 'b')")),
    "a header of code": lambda: with_vectors(header("__import__('os').getpid()")),
    "a header that never ends": lambda: with_vectors(header("((2, 3)")),
    "less data than stated": lambda: with_vectors(npy(ARRAYS["vectors"])[:-4]),
    "more data than stated": lambda: with_vectors(npy(ARRAYS["vectors"]) + bytes(4)),
    "compressed": lambda: archive(
        [(f"{name}.npy", npy(array)) for name, array in ARRAYS.items()], zipfile.ZIP_DEFLATED
    ),
    "a bomb": lambda: archive(
        [("vectors.npy", bytes(50_000_000)), ("owner.npy", npy(ARRAYS["owner"]))], zipfile.ZIP_LZMA
    ),
}


@pytest.mark.parametrize("hostile", HOSTILE)
def test_a_hostile_file_ends_in_one_error(hostile: str) -> None:
    with pytest.raises(InputError, match="^a file: damaged or not made by birdfield"):
        load_arrays(HOSTILE[hostile](), KINDS, "a file")


def test_an_array_above_the_limit_is_refused_before_it_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """2 x 3 float32 and a header of 128 bytes are 152 bytes."""
    monkeypatch.setattr("birdfield.arrays.MAX_BYTES", 151)
    with pytest.raises(InputError, match="array vectors is compressed or holds 152 bytes"):
        load_arrays(dump_arrays(ARRAYS), KINDS, "a file")
