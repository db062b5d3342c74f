"""The doctor's look at a camera and a microphone."""

import math
import os
import time
from collections.abc import Callable
from contextlib import closing
from typing import Any

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

WAIT_S = 12.0  # for the first picture of a camera
LISTEN_S = 2.0
QUIET_DBFS, LOUD_DBFS = -65.0, -6.0
CLIPPED = 0.001  # of the samples: more is a microphone turned up too far


def check_camera(spec: str, box: Box | None = None, wait_s: float = WAIT_S) -> Finding:
    """Take a picture, and cut a box from it as `watch` does.

    Raises:
        BirdfieldError: When the source cannot be opened, or the box lies outside of its pictures.
    """
    name = mask_url(spec)
    device = f"/dev/video{spec}" if spec.isdecimal() else spec
    if device.startswith("/dev/") and not os.path.exists(device):
        return Finding(
            "camera",
            "fail",
            f"{device} is not there",
            "plug it in, or choose one of: birdfield devices",
        )
    if device.startswith("/dev/") and not os.access(device, os.R_OK | os.W_OK):
        return Finding(
            "camera",
            "fail",
            f"{device} may not be opened by this user",
            "sudo usermod -aG video $USER, and log in again",
        )
    camera = open_camera(spec, box)
    if camera is None:
        return Finding("camera", "ok", "none is wanted")
    with closing(camera):
        shot = _first(lambda: _newest(camera), wait_s)
    if shot is None:
        return Finding(
            "camera",
            "fail",
            f"{name} gave no picture in {wait_s:g} s",
            "check cable, address and password; is another program using it?",
        )
    height, width = shot.frame.shape[:2]
    fault = frame_fault(shot.frame, 0.0)
    if fault:
        return Finding(
            "camera",
            "warn",
            f"{name}, {width}x{height}, the picture is {fault}",
            "take the cap off, or look again by day",
        )
    return Finding("camera", "ok", f"{name}, {width}x{height}")


def _newest(camera: Camera) -> Shot | None:
    now_s = time.monotonic() if camera.live else 1.0
    return camera.best_shot(now_s - 1.0, now_s)


def _first(look: Callable[[], Any], wait_s: float) -> Any:
    end_s = time.monotonic() + wait_s
    while (found := look()) is None and time.monotonic() < end_s:
        time.sleep(0.1)
    return found


def check_microphone(spec: str, rate_hz: int) -> Finding:
    """Listen for LISTEN_S.

    Raises:
        BirdfieldError: When the source cannot be opened.
    """
    name, url = mask_url(spec), "://" in spec
    microphone = open_microphone(spec, rate_hz)
    if microphone is None:
        return Finding("microphone", "ok", "none is wanted")
    with closing(microphone):
        waveform = _first(lambda: _heard(microphone), LISTEN_S + 3)
    if waveform is None:
        return Finding(
            "microphone",
            "fail",
            f"{name} gave no sound in {LISTEN_S + 3:g} s",
            "check address and password; is another program using it?"
            if url
            else "plug it in, or choose one of: birdfield devices; sudo usermod -aG audio $USER",
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
    """Tell from a piece of sound how its microphone is: level, clipping, rate.

    Args:
        waveform: float32 [N], mono, -1..1.
        name: Of the microphone.
        rate_hz: Of the device, where it is one.
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
            "switch it on, or unmute it: alsamixer, F4",
        )
    if clipped > CLIPPED or level > LOUD_DBFS:
        return Finding(
            "microphone",
            "warn",
            f"{found}, {clipped:.1%} clipped",
            "turn its gain down: alsamixer, F4",
        )
    if level < QUIET_DBFS:
        return Finding(
            "microphone", "warn", f"{found}, very quiet", "turn its gain up: alsamixer, F4"
        )
    return Finding("microphone", "ok", found)
