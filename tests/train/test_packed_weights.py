from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("keras", reason="Keras is not installed: birdfield[train]")

from birdfield.errors import InputError
from birdfield.paths import file_sha256
from birdfield_train.packed_weights import LEVELS, load_packed, quantise_kernel, save_packed

KERNEL = np.random.default_rng(0).normal(size=(3, 3, 4, 5)).astype(np.float32) * np.array(
    [1e-3, 0.1, 1, 10, 0], np.float32
)  # channels of very different sizes; the last one is zeros
BIAS = np.linspace(-1, 1, 5).astype(np.float32)


def test_a_quantised_kernel_is_within_half_a_step_of_its_channel() -> None:
    """The step of a channel is its largest absolute value / 127."""
    values, scale = quantise_kernel(KERNEL)
    assert values.dtype == np.int8 and values.shape == KERNEL.shape and scale.shape == (1, 1, 1, 5)
    step = np.abs(KERNEL).max(axis=(0, 1, 2)) / LEVELS
    error = np.abs(values * scale - KERNEL).max(axis=(0, 1, 2))
    assert (error <= 0.5 * step * (1 + 1e-5)).all()
    assert np.abs(values).max(axis=(0, 1, 2)).tolist() == [LEVELS] * 4 + [0]


def test_a_file_is_read_in_order_with_exact_biases(tmp_path: Path) -> None:
    path = tmp_path / "weights.npz"
    weights = [KERNEL, BIAS] * 6  # more than ten, so that "10" must not precede "2"
    for row in range(0, 12, 2):
        weights[row] = KERNEL * (row + 1)
    save_packed(path, weights)
    loaded = load_packed(path, file_sha256(path))
    assert [weight.dtype for weight in loaded] == [np.float32] * 12
    for row, weight in enumerate(loaded):
        if row % 2:
            np.testing.assert_array_equal(weight, BIAS)
        else:
            step = np.abs(weights[row]).max(axis=(0, 1, 2)) / LEVELS
            assert (np.abs(weight - weights[row]) <= 0.5001 * step).all()


def test_a_damaged_file_is_refused_by_its_sha256(tmp_path: Path) -> None:
    path = tmp_path / "weights.npz"
    save_packed(path, [KERNEL, BIAS])
    expected = file_sha256(path)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(InputError, match=f"SHA-256 is .*expected {expected[:12]}.*install birdf"):
        load_packed(path, expected)


def test_a_missing_file_is_reported(tmp_path: Path) -> None:
    with pytest.raises(
        InputError,
        match="none.npz: cannot be read .No such file or directory.; install birdfield again",
    ):
        load_packed(tmp_path / "none.npz", "0" * 64)
