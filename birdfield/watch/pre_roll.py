"""Pre-roll: the sound of the window before, put in front of a window's own sound."""

from dataclasses import replace

import numpy as np

from birdfield.journal.media import Sound
from birdfield.signals.windows import AudioSpec
from birdfield.watch.window import Window


def with_pre_roll(before: Window | None, window: Window, spec: AudioSpec, score: float) -> Sound:
    """Return the sound of a window from the start of the window before.

    Args:
        before: The window before, or None when its sound must not be kept.
        window: A window with a waveform.
        spec: The frontend's rate and window length.
        score: The score of the window.

    Returns:
        The sound of the window alone when the sound before is missing or not continuous with it.
    """
    assert window.waveform is not None
    rate_hz = spec.rate_hz
    end_s = window.start_s + len(window.waveform) / rate_hz
    sound = Sound(window.waveform, rate_hz, score, window.start_s, end_s)
    if before is None or before.waveform is None or before.end_s <= window.start_s:
        return sound
    # A shorter waveform has a gap somewhere, so only two whole windows are continuous.
    if min(len(before.waveform), len(window.waveform)) < spec.window:
        return sound
    pre_roll = before.waveform[: round((window.start_s - before.start_s) * rate_hz)]
    waveform = np.concatenate([pre_roll, window.waveform])
    return replace(sound, waveform=waveform, start_s=before.start_s)
