"""Packed weights: kernels stored as 8-bit integers with a scale for each output channel."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from birdfield.paths import check_sha256

LEVELS = 127  # of a quantised kernel, on each side of zero

Weights = list[NDArray[np.float32]]


def quantise_kernel(kernel: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Quantise a kernel symmetrically, with a scale for each of its output channels.

    Args:
        kernel: float32 [..., O], or a depthwise one, [H, W, O, 1].

    Returns:
        int8 of the kernel's shape, and scales that broadcast to it.
    """
    channels = kernel.ndim - (2 if kernel.ndim == 4 and kernel.shape[-1] == 1 else 1)
    others = tuple(axis for axis in range(kernel.ndim) if axis != channels)
    scale = np.abs(kernel).max(axis=others, keepdims=True) / LEVELS
    scale = np.maximum(scale, 1e-12).astype(np.float32)
    return np.round(kernel / scale).astype(np.int8), scale


def save_packed(path: Path, weights: Sequence[NDArray[np.float32]]) -> None:
    """Write kernels, which have more than one dimension, as 8-bit; all else as float32."""
    arrays: dict[str, NDArray[np.generic]] = {}
    for row, weight in enumerate(weights):
        if weight.ndim > 1:
            arrays[f"{row:03d}.int8"], arrays[f"{row:03d}.scale"] = quantise_kernel(weight)
        else:
            arrays[f"{row:03d}.float"] = weight.astype(np.float32)
    np.savez_compressed(path, **arrays)  # type: ignore[arg-type]  # NumPy also types allow_pickle


def load_packed(path: Path, sha256: str) -> Weights:
    """Read a packed file as float32 weights, in their order.

    Args:
        path: The file.
        sha256: Its expected SHA-256.

    Raises:
        InputError: When the file is missing or has another SHA-256.
    """
    check_sha256(path, sha256)
    with np.load(path, allow_pickle=False) as arrays:
        rows = sorted({key.split(".")[0] for key in arrays.files})
        return [
            arrays[f"{row}.float"]
            if f"{row}.float" in arrays.files
            else arrays[f"{row}.int8"].astype(np.float32) * arrays[f"{row}.scale"]
            for row in rows
        ]
