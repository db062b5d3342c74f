"""Array files: named arrays in one NPZ file, checked as they are read."""

import io
import tokenize
import zipfile
import zlib
from collections.abc import Mapping
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from birdfield.errors import InputError

MAX_BYTES = 512_000_000  # of one array
MAX_HEADER_BYTES = 1_000  # of the header of one array

Number = TypeVar("Number", bound=np.generic)
ArrayKinds = Mapping[str, tuple[str, int]]  # dtype and number of dimensions, by array name

# What zipfile, NumPy and the parser of an array's header raise on a damaged file.
_DAMAGE_ERRORS = (
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
)


class LoadedArrays:
    """The arrays of a file, each with the dtype that the reader asked for."""

    def __init__(self, arrays: Mapping[str, NDArray[np.generic]]) -> None:
        """Hold arrays by name."""
        self._arrays = arrays

    def get(self, name: str, dtype: type[Number]) -> NDArray[Number]:
        """Return an array; raises TypeError when its dtype is another one."""
        array: NDArray[Any] = self._arrays[name]
        if array.dtype != dtype:
            raise TypeError(f"array {name} is {array.dtype}, asked for as {np.dtype(dtype)}")
        return array


def dump_arrays(arrays: Mapping[str, NDArray[np.generic]]) -> bytes:
    """Return the content of an NPZ file that holds the arrays."""
    buffer = io.BytesIO()
    # NumPy 1 reads allow_pickle as the name of an array; numeric arrays are never pickled.
    savez: Any = np.savez
    savez(buffer, **arrays)
    return buffer.getvalue()


def load_arrays(data: bytes, kinds: ArrayKinds, name: str) -> LoadedArrays:
    """Read the content of an NPZ file of any origin, without unpickling.

    Args:
        data: The content of the file.
        kinds: The dtype and the number of dimensions of each array that the file must hold.
        name: The file's name for error messages.

    Raises:
        InputError: When it is not an NPZ file, or an array is missing, additional, larger than
            MAX_BYTES, or of another dtype or number of dimensions.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            found = sorted(archive.namelist())
            expected = sorted(f"{key}.npy" for key in kinds)
            if found != expected:
                raise ValueError(f"holds {found[:8]}, expected {expected}")
            return LoadedArrays(
                {key: _read_member(archive, key, *kind) for key, kind in kinds.items()}
            )
    except _DAMAGE_ERRORS as error:
        raise InputError(
            f"{name}: damaged or not made by birdfield ({error}); restore it from a copy"
        ) from error


def _read_member(
    archive: zipfile.ZipFile, key: str, dtype: str, dimensions: int
) -> NDArray[np.generic]:
    entry = archive.getinfo(f"{key}.npy")
    if entry.compress_type != zipfile.ZIP_STORED or entry.file_size > MAX_BYTES:
        raise ValueError(f"array {key} is compressed or holds {entry.file_size:,} bytes")
    with archive.open(entry) as stream:
        version = np.lib.format.read_magic(stream)
        if version != (1, 0):
            raise ValueError(f"array {key} has format version {version}, expected (1, 0)")
        shape, fortran, kind = np.lib.format.read_array_header_1_0(
            stream, max_header_size=MAX_HEADER_BYTES
        )
        if kind != np.dtype(dtype) or len(shape) != dimensions or fortran:
            raise ValueError(
                f"array {key} is {kind}{list(shape)}, expected {dtype} with {dimensions} dimensions"
            )
        body = stream.read()
    size = int(np.prod([int(length) for length in shape], dtype=object)) * kind.itemsize
    if size != len(body):
        raise ValueError(f"the header of array {key} says {size:,} bytes; it holds {len(body):,}")
    return np.asarray(np.frombuffer(body, kind).reshape(shape).copy())
