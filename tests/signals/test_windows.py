import numpy as np
import pytest

from birdfield.model.audio_specs import BIRDNET, SPECS, YAMNET
from birdfield.signals.windows import (
    AudioSpec,
    cut_patches,
    cut_windows,
    repeat_patches,
    window_starts,
)

LENGTHS = [
    (spec, length)
    for spec in SPECS.values()
    for length in (
        1,
        spec.patch,
        spec.window - 1,
        spec.window,
        spec.window + 1,
        spec.window + spec.hop,
        spec.window + spec.stride - 1,
        spec.window + spec.stride,
        spec.window + spec.stride + 1,
        3 * spec.window + 17,
    )
]


def test_yamnets_window_is_ten_patches_half_a_second_apart() -> None:
    """10 patches of 15 600 samples, 7 680 apart: 15 600 + 9 x 7 680 = 84 720, 5.295 s."""
    assert (YAMNET.window, YAMNET.stride, YAMNET.window_s) == (84_720, 76_800, 5.295)


def test_birdnets_window_is_three_patches_one_and_a_half_seconds_apart() -> None:
    """3 patches of 144 000 samples, 72 000 apart: 144 000 + 2 x 72 000 = 288 000, 6 s."""
    assert (BIRDNET.window, BIRDNET.stride, BIRDNET.window_s) == (288_000, 216_000, 6.0)


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_a_window_has_as_many_patches_as_the_tower_reads(spec: AudioSpec) -> None:
    assert len(cut_patches(np.zeros(spec.window, np.float32), spec)) == spec.patches_per_window


@pytest.mark.parametrize(("spec", "length"), LENGTHS)
@pytest.mark.parametrize("size", [997, 60_000, 10**7])
def test_windows_cover_a_recording_whatever_its_blocks(
    spec: AudioSpec, length: int, size: int
) -> None:
    """The last window ends with the recording; the others are full and adjacent.

    Without padding, up to half a hop may follow the last window.
    """
    waveform = np.arange(length, dtype=np.float32)
    cut = list(
        cut_windows((waveform[start : start + size] for start in range(0, length, size)), spec)
    )
    starts = [start for start, _ in cut]
    assert all(np.array_equal(part, waveform[start : start + spec.window]) for start, part in cut)
    assert all(len(part) == spec.window for _, part in cut[:-1])
    assert starts[:-1] == list(range(0, spec.stride * (len(cut) - 1), spec.stride))
    left = length - starts[-1] - len(cut[-1][1])
    assert 0 <= left < (1 if spec.padded else spec.hop / 2) and starts[-1] % spec.hop == 0
    assert len(cut) == 1 or spec.window - spec.hop < len(cut[-1][1]) <= spec.window


def test_a_recording_without_samples_has_no_window() -> None:
    assert not list(cut_windows([], YAMNET))
    assert not list(cut_windows([np.zeros(0, np.float32)], YAMNET))


@pytest.mark.parametrize(("spec", "length"), LENGTHS)
def test_windows_of_samples_and_of_patches_start_together(spec: AudioSpec, length: int) -> None:
    """Training cuts the patches of a recording, and `watch` its samples."""
    waveform = np.zeros(length, np.float32)
    starts = [start // spec.hop for start, _ in cut_windows([waveform], spec)]
    assert window_starts(len(cut_patches(waveform, spec)), spec.patches_per_window) == starts


@pytest.mark.parametrize(
    ("length", "count"), [(1, 1), (15_600, 1), (15_601, 2), (23_280, 2), (23_281, 3)]
)
def test_patches_are_a_hop_apart_and_the_last_is_padded(length: int, count: int) -> None:
    """1 + ceil((N - 15 600) / 7 680)."""
    waveform = np.arange(1, length + 1, dtype=np.float32)
    cut = cut_patches(waveform, YAMNET)
    assert cut.shape == (count, 15_600)
    last = waveform[(count - 1) * 7680 :][:15_600]
    assert np.array_equal(cut[-1][: len(last)], last) and not cut[-1][len(last) :].any()


@pytest.mark.parametrize(
    ("length", "starts"),
    [
        (1, [0]),
        (179_999, [0]),
        (180_000, [0, 36_000]),
        (216_000, [0, 72_000]),
        (251_999, [0, 72_000]),
        (252_000, [0, 72_000, 108_000]),
    ],
)
def test_patches_of_birdnet_are_never_padded(length: int, starts: list[int]) -> None:
    """144 000 samples, 72 000 apart; the last ends with the sound if 36 000 or more are new."""
    waveform = np.arange(length, dtype=np.float32)
    cut = cut_patches(waveform, BIRDNET)
    assert cut[:, 0].tolist() == starts
    assert all(
        np.array_equal(patch[: length - start], waveform[start : start + 144_000])
        for patch, start in zip(cut, starts, strict=True)
    )


def test_a_short_sequence_is_repeated_from_its_beginning() -> None:
    """Of 3 patches, 10 are 0 1 2 0 1 2 0 1 2 0."""
    frames = np.arange(3, dtype=np.float32)[:, None]
    assert repeat_patches(frames, 10).ravel().tolist() == [0, 1, 2, 0, 1, 2, 0, 1, 2, 0]
    assert np.array_equal(repeat_patches(frames, 3), frames)
