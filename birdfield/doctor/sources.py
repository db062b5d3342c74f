"""Source checks: takes a picture and listens to the microphone."""

import math
import os
import time
from collections.abc import Callable
from contextlib import closing
from typing import TypeVar

import numpy as np

from birdfield.capture.camera import Camera, open_camera
from birdfield.capture.live_microphone import load_sounddevice
from birdfield.capture.microphone import Microphone, open_microphone
from birdfield.capture.shot import Shot
from birdfield.doctor.findings import Finding
from birdfield.redaction import mask_url
from birdfield.signals.audio import Waveform
from birdfield.signals.boxes import Box
from birdfield.signals.usability import FULL_SCALE, frame_fault, window_fault

Found = TypeVar("Found")

CAMERA_TIMEOUT_S = 12.0
LISTEN_S = 2.0
MICROPHONE_DELAY_S = 3.0  # until a microphone that was opened has sound
QUIET_DBFS, LOUD_DBFS = -65.0, -6.0
MAX_CLIPPED = 0.001  # share of the samples; more means that the gain is too high


def check_camera(spec: str, box: Box | None = None, timeout_s: float = CAMERA_TIMEOUT_S) -> Finding:
    """Take a picture, and crop it as a watch does.

    Raises:
        BirdfieldError: When the source cannot be opened, or the box extends beyond the frame.
    """
    name = mask_url(spec)
    device = f"/dev/video{spec}" if spec.isdecimal() else spec
    if device.startswith("/dev/") and not os.path.exists(device):
        return Finding(
            "camera",
            "fail",
            f"{device} does not exist",
            "plug the camera in, or choose another one",
        )
    if device.startswith("/dev/") and not os.access(device, os.R_OK | os.W_OK):
        return Finding(
            "camera",
            "fail",
            f"this user may not open {device}",
            "run: sudo usermod -aG video $USER, and log in again",
        )
    camera = open_camera(spec, box)
    if camera is None:
        return Finding("camera", "ok", "none is configured")
    with closing(camera):
        shot = _poll(lambda: _newest(camera), timeout_s)
    if shot is None:
        return Finding(
            "camera",
            "fail",
            f"no picture from {name} in {timeout_s:g} s",
            "check the cable, the address and the password, and stop other programs that use it",
        )
    size = f"{shot.frame.shape[1]}x{shot.frame.shape[0]}"
    if shot.reduced_from:
        size = f"{shot.reduced_from[0]}x{shot.reduced_from[1]}, used at {size}"
    fault = frame_fault(shot.frame, 0.0)
    if fault:
        return Finding(
            "camera",
            "warn",
            f"{name}, {size}, the picture is {fault}",
            "remove the lens cap, or check again by day",
        )
    return Finding("camera", "ok", f"{name}, {size}")


def _newest(camera: Camera) -> Shot | None:
    now_s = time.monotonic() if camera.live else 1.0
    return camera.best_shot(now_s - 1.0, now_s)


def _poll(look: Callable[[], Found | None], timeout_s: float) -> Found | None:
    """Call a function until it returns a value."""
    end_s = time.monotonic() + timeout_s
    while (found := look()) is None and time.monotonic() < end_s:
        time.sleep(0.1)
    return found


def check_microphone(spec: str, rate_hz: int) -> Finding:
    """Listen for LISTEN_S, and judge the sound.

    Raises:
        BirdfieldError: When the source cannot be opened.
    """
    name, url = mask_url(spec), "://" in spec
    timeout_s = LISTEN_S + MICROPHONE_DELAY_S
    microphone = open_microphone(spec, rate_hz)
    if microphone is None:
        return Finding("microphone", "ok", "none is configured")
    with closing(microphone):
        waveform = _poll(lambda: _heard(microphone), timeout_s)
    if waveform is None:
        return Finding(
            "microphone",
            "fail",
            f"no sound from {name} in {timeout_s:g} s",
            "check the address and the password, and stop other programs that use it"
            if url
            else "plug the microphone in, choose another one, or run: sudo usermod -aG audio $USER",
        )
    device = microphone.live and not url
    return judge_sound(waveform, name, _rate_of(spec) if device else None)


def _heard(microphone: Microphone) -> Waveform | None:
    end_s = time.monotonic() if microphone.live else LISTEN_S
    return microphone.window(end_s - LISTEN_S, end_s)


def _rate_of(spec: str) -> float | None:
    sounddevice = load_sounddevice()
    device = None if spec == "default" else int(spec) if spec.isdecimal() else spec
    try:
        return float(sounddevice.query_devices(device, "input")["default_samplerate"])
    except (sounddevice.PortAudioError, ValueError):
        return None


def judge_sound(waveform: Waveform, name: str, rate_hz: float | None) -> Finding:
    """Check the level and the clipping of a microphone's sound.

    Args:
        waveform: float32 [N], mono, -1..1.
        name: The name of the microphone.
        rate_hz: The rate of the device; None for other sources.
    """
    sound = waveform - np.median(waveform)
    level = 20 * math.log10(max(float(np.sqrt(np.mean(sound**2))), 1e-6))
    clipped = float((np.abs(waveform) >= FULL_SCALE).mean())
    found = f"{name}, {level:.0f} dBFS" + (f", {rate_hz:g} Hz" if rate_hz else "")
    if window_fault(waveform) == "silent":
        return Finding(
            "microphone",
            "fail",
            f"{found}, digital silence",
            "switch the microphone on, or unmute it: alsamixer, F4",
        )
    if clipped > MAX_CLIPPED or level > LOUD_DBFS:
        return Finding(
            "microphone",
            "warn",
            f"{found}, {clipped:.1%} clipped",
            "lower the gain: alsamixer, F4",
        )
    if level < QUIET_DBFS:
        return Finding(
            "microphone", "warn", f"{found}, very quiet", "raise the gain: alsamixer, F4"
        )
    return Finding("microphone", "ok", found)
