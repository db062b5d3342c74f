"""Named arrays in one NPZ file, read without trust: no pickle, every size bounded first."""

import io
import tokenize
import zipfile
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from birdfield.errors import InputError

MAX_BYTES = 512_000_000  # of one array
MAX_HEADER = 1_000  # bytes of an array's own header

Arrays = Mapping[str, NDArray[Any]]


def dump_arrays(arrays: Arrays) -> bytes:
    """Return the arrays as the content of an NPZ file."""
    buffer = io.BytesIO()
    # NumPy 1 would take allow_pickle for an array; numeric arrays are never pickled anyway.
    savez: Any = np.savez
    savez(buffer, **arrays)
    return buffer.getvalue()


def load_arrays(data: bytes, dtypes: Mapping[str, tuple[str, int]], name: str) -> Arrays:
    """Read the content of an NPZ file from anywhere.

    Args:
        data: The file's content.
        dtypes: The dtype and the number of dimensions of each array that must be there.
        name: What to call the file in an error.

    Raises:
        InputError: When it is no NPZ file, or its arrays are others, or larger than they can be.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            found = sorted(archive.namelist())
            expected = sorted(f"{key}.npy" for key in dtypes)
            if found != expected:
                raise ValueError(f"holds {found[:8]}, expected {expected}")
            return {key: _read_member(archive, key, *kind) for key, kind in dtypes.items()}
    except (
        ValueError,
        KeyError,
        EOFError,
        OSError,
        NotImplementedError,
        RuntimeError,
        SyntaxError,
        tokenize.TokenError,
        TypeError,
        MemoryError,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        raise InputError(
            f"{name}: damaged or not made by birdfield ({error}); restore it from a copy"
        ) from error


def _read_member(archive: zipfile.ZipFile, key: str, dtype: str, dimensions: int) -> NDArray[Any]:
    entry = archive.getinfo(f"{key}.npy")
    if entry.compress_type != zipfile.ZIP_STORED or entry.file_size > MAX_BYTES:
        raise ValueError(f"array {key} is compressed or holds {entry.file_size:,} bytes")
    with archive.open(entry) as stream:
        version = np.lib.format.read_magic(stream)
        if version != (1, 0):
            raise ValueError(f"array {key} has format version {version}, expected (1, 0)")
        shape, fortran, kind = np.lib.format.read_array_header_1_0(
            stream, max_header_size=MAX_HEADER
        )
        if kind != np.dtype(dtype) or len(shape) != dimensions or fortran:
            raise ValueError(
                f"array {key} is {kind}{list(shape)}, expected {dtype} with {dimensions} dimensions"
            )
        body = stream.read()
    size = int(np.prod([int(length) for length in shape], dtype=object)) * kind.itemsize
    if size != len(body):
        raise ValueError(f"array {key} says {size:,} bytes and holds {len(body):,}")
    return np.frombuffer(body, kind).reshape(shape).copy()
