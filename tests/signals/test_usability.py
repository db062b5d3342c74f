import numpy as np
import pytest
from frames import scenery

from birdfield.model.audio_specs import YAMNET
from birdfield.signals.usability import ChangeTimer, frame_fault, window_fault

RNG = np.random.default_rng(7)


def gray(level: int, noise: int = 0, shape: tuple[int, int] = (480, 640)) -> np.ndarray:
    values = level + RNG.integers(-noise, noise + 1, (*shape, 3))
    return np.clip(values, 0, 255).astype(np.uint8)


def test_scenery_is_usable() -> None:
    assert frame_fault(scenery(1), 0.0) is None


@pytest.mark.parametrize("noise", [0, 8])
def test_a_covered_lens_is_dark_with_or_without_sensor_noise(noise: int) -> None:
    assert frame_fault(gray(6, noise), 0.0) == "dark"


def test_the_clock_in_the_corner_of_a_covered_camera_does_not_hide_the_dark() -> None:
    frame = gray(3)
    frame[:40, :70] = 255  # 0.9 % of 480 x 640 pixels
    assert frame_fault(frame, 0.0) == "dark"


def test_a_dark_picture_with_a_lit_part_is_usable() -> None:
    frame = gray(8, 4)
    frame[100:200, 200:300] = 120  # 3 % of the pixels
    assert frame_fault(frame, 0.0) is None


@pytest.mark.parametrize("level", [60, 128, 250])
def test_an_even_surface_is_flat_despite_the_sensors_noise(level: int) -> None:
    """Noise of +-8 has a standard deviation of 4.9; over 75 pixels a cell that is 0.6 < 2."""
    assert frame_fault(gray(level, 8), 0.0) == "flat"


def test_a_small_bird_before_an_even_sky_is_usable() -> None:
    """A spot of 1 %, 160 levels darker, deviates by 160 * sqrt(.01 * .99) = 15.9 levels."""
    frame = gray(200, 4)
    frame[200:248, 300:364] = 40
    assert frame_fault(frame, 0.0) is None


@pytest.mark.parametrize(("unchanged_s", "fault"), [(0.0, None), (1.99, None), (2.0, "frozen")])
def test_a_picture_is_frozen_after_two_seconds(unchanged_s: float, fault: str | None) -> None:
    assert frame_fault(scenery(2), unchanged_s) == fault


def test_change_timer_counts_bit_identical_frames_only() -> None:
    timer = ChangeTimer()
    first, second = scenery(1), scenery(1)
    second[17, 5, 0] ^= 1  # not in one of the rows, every sixteenth, that are compared first
    assert [
        timer.unchanged_s(frame, time_s)
        for frame, time_s in (
            (first, 10.0),
            (first.copy(), 11.0),
            (first.copy(), 12.5),
            (second, 13.0),
            (second[:48], 14.0),
        )
    ] == [0.0, 1.0, 2.5, 0.0, 0.0]


def tone(amplitude: float) -> np.ndarray:
    return np.asarray(amplitude * np.sin(np.arange(YAMNET.window) * 0.3), np.float32)


@pytest.mark.parametrize("amplitude", [1e-4, 0.01, 0.9, 1.0])
def test_sound_is_usable_from_three_steps_to_full_scale(amplitude: float) -> None:
    assert window_fault(tone(amplitude)) is None


def test_zeros_and_less_than_a_step_are_silent() -> None:
    assert window_fault(np.zeros(YAMNET.window, np.float32)) == "silent"
    assert window_fault(tone(0.9 / 32_768)) == "silent"
    assert window_fault(np.zeros(0, np.float32)) == "silent"


def test_a_muted_input_with_an_offset_and_one_click_is_silent() -> None:
    waveform = np.full(YAMNET.window, 0.02, np.float32)
    waveform[1000:1050] = 0.5  # 50 of 84 720 samples: 0.06 %
    assert window_fault(waveform) == "silent"


def test_half_a_window_of_sound_is_not_silent() -> None:
    waveform = tone(0.1)
    waveform[: YAMNET.window // 2] = 0
    assert window_fault(waveform) is None


def test_clipping_is_a_fault_from_half_of_the_samples_on() -> None:
    """|sin| of 1.3 is over 1 for 1 - 2/pi * asin(1/1.3) = 44 % of the time; of 20 for 97 %."""
    assert window_fault(np.clip(tone(1.3), -1, 1)) is None
    assert window_fault(np.clip(tone(20.0), -1, 1)) == "clipped"
