import itertools
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from sound_servers import TONE_HZ, PulseAudio
from spectra import dominant_hz
from waiting import wait_for

from birdfield.capture import live_microphone as module
from birdfield.capture.live_microphone import LiveMicrophone


class SoundSystem:
    """A replacement of sounddevice, for devices that this machine does not have."""

    class PortAudioError(Exception):
        pass

    def __init__(self, rate_hz: float, channels: int) -> None:
        self.rate_hz, self.channels = rate_hz, channels
        self.opened: list[tuple[float, int]] = []
        self.restarts = 0
        self.plugged = True
        self.hangs: threading.Event | None = None  # until it is set, a stream does not start
        self.streams: list[SimpleNamespace] = []
        self.callback: Callable[..., None] | None = None

    def query_devices(self, device: object, kind: str) -> dict[str, Any]:
        if not self.plugged:
            raise ValueError("No input device matching 'usb'")
        return {
            "name": "usb",
            "max_input_channels": self.channels,
            "default_samplerate": self.rate_hz,
        }

    def InputStream(self, **options: Any) -> SimpleNamespace:  # noqa: N802
        self.opened.append((options["samplerate"], options["channels"]))
        if options["samplerate"] != self.rate_hz:
            raise self.PortAudioError("Invalid sample rate")
        self.callback = options["callback"]
        hangs = self.hangs
        stream = SimpleNamespace(
            active=True, start=lambda: hangs and hangs.wait(), close=lambda ignore_errors: None
        )
        self.streams.append(stream)
        return stream

    def _terminate(self) -> None:
        raise self.PortAudioError("PortAudio not initialized")

    def _initialize(self) -> None:
        self.restarts += 1

    def deliver(self, block: np.ndarray, overflow: bool = False) -> None:
        assert self.callback is not None
        self.callback(block, len(block), None, SimpleNamespace(input_overflow=overflow))


@contextmanager
def recording(monkeypatch: pytest.MonkeyPatch, system: SoundSystem) -> Iterator[LiveMicrophone]:
    monkeypatch.setattr(module, "load_sounddevice", lambda: system)
    microphone = LiveMicrophone("usb", 16_000)
    try:
        wait_for(lambda: bool(system.streams), "the stream")
        yield microphone
    finally:
        microphone.close()


def test_a_device_of_48_khz_only_is_resampled(monkeypatch: pytest.MonkeyPatch) -> None:
    system = SoundSystem(48_000, 1)
    with recording(monkeypatch, system) as microphone:
        tone = np.sin(2 * np.pi * TONE_HZ * np.arange(48_000 * 3) / 48_000).astype(np.float32)
        for start in range(0, len(tone), 4800):
            system.deliver(tone[start : start + 4800, None])
        now_s = time.monotonic()
        waveform = microphone.window(now_s - 2.0, now_s)
    assert system.opened == [(16_000, 1), (48_000, 1)]
    assert waveform is not None
    assert dominant_hz(waveform) == pytest.approx(TONE_HZ, abs=2)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Replace the process's time by a value that the test sets, 1000 s at first."""
    now_s = [1000.0]
    monkeypatch.setattr("time.monotonic", lambda: now_s[0])
    return now_s


def test_windows_of_a_device_follow_the_time_of_arrival(
    clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """30 s of a ramp end at 1030 s: 22 s are kept, and [1027, 1029) is that part of the ramp."""
    system = SoundSystem(16_000, 32)
    with recording(monkeypatch, system) as microphone:
        ramp = np.linspace(0, 1, 30 * 16_000, dtype=np.float32)
        for start in range(0, len(ramp), 1600):
            clock[0] += 0.1
            system.deliver(np.stack([ramp[start : start + 1600]] * 2, 1), overflow=start == 3200)
        end_s = clock[0]
        waveform = microphone.window(end_s - 3, end_s - 1)
        assert waveform is not None and np.allclose(waveform, ramp[27 * 16_000 : 29 * 16_000])
        longest = microphone.window(end_s - 100, end_s)
        assert longest is not None and len(longest) == 22 * 16_000
        assert microphone.window(end_s - 0.9, end_s) is None, "0.9 s is no window"
        assert microphone.window(end_s - 100, end_s - 21.5) is None
        assert microphone.overruns == 1
    assert system.opened == [(16_000, 2)]


def test_windows_keep_their_distance_when_blocks_arrive_unevenly(
    clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Blocks of 0.1 s arrive up to 40 ms late; windows of 2 s, 0.96 s apart, begin exactly 15 360
    samples apart, so that a frontend can reuse their patches.
    """
    system = SoundSystem(16_000, 1)
    with recording(monkeypatch, system) as microphone:
        ramp = np.linspace(0, 1, 16_000 * 8, dtype=np.float32)
        late_s = np.random.default_rng(0).uniform(0, 0.04, 80)
        for block in range(80):
            clock[0] = 1000.1 + 0.1 * block + late_s[block]
            system.deliver(ramp[1600 * block :][:1600, None])
        windows = [
            microphone.window(1001 + shift_s, 1003 + shift_s) for shift_s in np.arange(5) * 0.96
        ]
    for before, after in itertools.pairwise(windows):
        assert before is not None and after is not None
        assert np.array_equal(before[15_360:], after[:-15_360])


@pytest.mark.parametrize(
    ("shift_s", "found_s"),
    [(0.3, 0), (0.6, 0.6), (-0.1, -0.1)],
    ids=["a short stall", "lost samples", "a late beginning"],
)
def test_the_time_is_set_again_when_blocks_arrive_too_early_or_late(
    clock: list[float], monkeypatch: pytest.MonkeyPatch, shift_s: float, found_s: float
) -> None:
    """The second half of a ramp of 4 s arrives later or earlier than the first half predicts."""
    system = SoundSystem(16_000, 1)
    with recording(monkeypatch, system) as microphone:
        ramp = np.arange(64_000, dtype=np.float32) / 64_000
        for half, arrival_s in ((ramp[:32_000], 1002.0), (ramp[32_000:], 1004.0 + shift_s)):
            clock[0] = arrival_s
            system.deliver(half[:, None])
        waveform = microphone.window(1002.5 + found_s, 1003.5 + found_s)
    assert waveform is not None and np.array_equal(waveform, ramp[40_000:56_000])


def test_a_window_waits_for_its_last_block(
    clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The test asks for a window to 1000.1 s before the block that ends at 1000.2 s arrives."""
    monkeypatch.setattr("birdfield.capture.sound_ring.ARRIVAL_S", 60)
    system = SoundSystem(16_000, 1)

    def deliver() -> None:
        clock[0] = 1000.2
        system.deliver(np.ones((3200, 1), np.float32))

    with recording(monkeypatch, system) as microphone:
        system.deliver(np.zeros((32_000, 1), np.float32))
        later = threading.Timer(0.15, deliver)
        later.start()
        waveform = microphone.window(998.6, 1000.1)
        later.join()
    assert waveform is not None and len(waveform) == 24_000 and waveform[-1] == 1.0


def is_back(system: SoundSystem, caplog: pytest.LogCaptureFixture) -> bool:
    """Deliver 2 s of ones, and return whether the microphone is back.

    Blocks that arrive before the stream has started do not count.
    """
    system.deliver(np.ones((32_000, 1), np.float32))
    return bool({"microphone found", "microphone is back"} & {*caplog.messages})


@pytest.mark.slow
def test_a_stalled_device_is_reopened(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A stall, an unplug and a return: PortAudio is restarted before each attempt."""
    caplog.set_level(logging.WARNING)
    monkeypatch.setattr(module, "STALL_S", 1.0)
    monkeypatch.setattr("birdfield.capture.supervisor.FIRST_RETRY_S", 0.1)
    system = SoundSystem(16_000, 1)
    with recording(monkeypatch, system) as microphone:
        system.deliver(np.ones((32_000, 1), np.float32))
        before_s = microphone._ring.newest_s
        system.plugged = False
        wait_for(lambda: system.restarts >= 2, "two attempts")
        system.plugged = True
        caplog.set_level(logging.INFO)
        wait_for(lambda: len(system.streams) == 2, "the second stream")
        assert microphone.window(before_s - 2, before_s) is None, (
            "sound from before the loss is deleted"
        )
        wait_for(lambda: is_back(system, caplog), "the return")
    assert caplog.messages == [
        "microphone lost: usb sent no sound for 1 s; trying again",
        "microphone: usb, 16000 Hz, channels: 1",
        "microphone is back",
    ]


@pytest.mark.slow
def test_a_device_whose_stream_hangs_is_reopened(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Late sound of the first stream does not mix with the second; PortAudio is not restarted."""
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(module, "HANG_S", 1.0)
    monkeypatch.setattr("birdfield.capture.supervisor.FIRST_RETRY_S", 0.1)
    system = SoundSystem(16_000, 1)
    system.hangs = release = threading.Event()
    with recording(monkeypatch, system) as microphone:
        late = system.callback
        system.hangs = None
        wait_for(lambda: len(system.streams) == 2, "the second stream")
        wait_for(lambda: is_back(system, caplog), "the return")
        assert late is not None and system.restarts == 0
        late(np.zeros((32_000, 1), np.float32), 32_000, None, SimpleNamespace(input_overflow=True))
        end_s = microphone._ring.newest_s
        waveform = microphone.window(end_s - 1.5, end_s)
        assert waveform is not None and waveform.min() == 1 and microphone.overruns == 0
        release.set()
    assert "waiting for the microphone: usb has hung for 1 s; trying again" in caplog.messages


def test_a_block_that_is_no_sound_is_left_out(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The block is silence of the same length, so that the sound around it keeps its time."""
    system = SoundSystem(16_000, 1)
    with recording(monkeypatch, system) as microphone:
        for sample in (1.0, np.nan, 1.0):
            system.deliver(np.full((8000, 1), sample, np.float32))
        end_s = microphone._ring.newest_s
        waveform = microphone.window(end_s - 1.5, end_s)
    assert waveform is not None and [*waveform[::4000]] == [1, 1, 0, 0, 1, 1]
    assert microphone.defects == 1
    assert "sends samples that are not finite" in caplog.text


@pytest.mark.slow
@pytest.mark.devices
def test_a_real_microphone_is_heard_lost_and_heard_again() -> None:
    # pytest's own folders have names too long for a Unix socket.
    with TemporaryDirectory(prefix="bf") as folder:
        server = PulseAudio(Path(folder))
        with server.listening() as heard:
            wait_until_logged(heard, "waiting for the microphone: default cannot be recorded (", 1)
            for count, words in enumerate(("microphone found", "microphone is back"), 1):
                with server.running(), server.playing_tone():
                    wait_until_logged(heard, words, 1)
                    wait_for(lambda: hears_tone(heard()), "the tone")
                wait_until_logged(heard, "microphone lost: default", count)


def wait_until_logged(heard: Callable[[], list[dict[str, Any]]], start: str, count: int) -> None:
    wait_for(
        lambda: count == sum(entry.get("log", "").startswith(start) for entry in heard()),
        f"{start!r} no. {count}",
    )


def hears_tone(heard: list[dict[str, Any]]) -> bool:
    """Return whether TONE_HZ is heard at its level of 0.3 since the microphone is back."""
    back = max(
        place
        for place, entry in enumerate(heard)
        if entry.get("log") in ("microphone found", "microphone is back")
    )
    return any(
        entry.get("hz") and abs(entry["hz"] - TONE_HZ) < 3 and 0.2 < entry["level"] < 0.4
        for entry in heard[back:]
    )
